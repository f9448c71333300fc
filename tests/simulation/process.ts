/** One simulated server process: the real services, routes and reconciler, without timers, sockets or a clock of their own. */

import { ApiError, toProblem } from '@tidegate/api'
import type { SignerKey } from '@tidegate/audit'
import type { Millis } from '@tidegate/core'
import { instant } from '@tidegate/core'
import { createLogger } from '@tidegate/server'
import { createConfigurations } from '../../packages/server/src/configuration/configurations.ts'
import { toApiError } from '../../packages/server/src/http/faults.ts'
import { registerOperations } from '../../packages/server/src/http/operations-routes.ts'
import { findPrincipals } from '../../packages/server/src/identity/principals.ts'
import { createTokenIdentity } from '../../packages/server/src/identity/tokens.ts'
import { reassessGrants, reassessRequests } from '../../packages/server/src/lifecycle/reassess.ts'
import { createSequencer } from '../../packages/server/src/log/sequencer.ts'
import { createCourier } from '../../packages/server/src/notify/deliver.ts'
import type { Handlers, Services } from '../../packages/server/src/operations/handler.ts'
import { housekeeping } from '../../packages/server/src/reconciler/housekeeping.ts'
import { createReconciler } from '../../packages/server/src/reconciler/reconciler.ts'
import { createMasterKey, makeKey } from '../../packages/server/src/secrets/keys.ts'
import { tendNow } from '../../packages/server/src/reconciler/tend.ts'
import type { Runtime } from '../../packages/server/src/runtime.ts'
import { createTargets } from '../../packages/server/src/targets/targets.ts'
import { tokenOf } from './configuration.ts'
import type { Store } from './store.ts'
import { currentStrand } from './strands.ts'
import type { SimulatedTargets } from './targets.ts'

export type Answer = { readonly status: number; readonly body: Record<string, unknown>; readonly cause?: unknown }

export type Process = {
  readonly call: (call: Call) => Promise<Answer>
  /** Targets that are due are tended, and everything that is due by the clock is seen to. */
  readonly drain: () => Promise<void>
  readonly tend: (resource: string) => Promise<unknown>
  readonly reask: () => Promise<unknown>
  readonly integrate: () => Promise<number>
  readonly tidy: () => Promise<void>
}

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  /** `user:alice` */
  readonly as: string
  readonly body?: object
  readonly key?: string
}

type Config = {
  readonly number: number
  readonly store: Store
  readonly targets: SimulatedTargets
  readonly signer: SignerKey
  /** By this process's own clock. */
  readonly now: () => number
  /** As its reconciler reads it: differs only in a planted bug. */
  readonly reconcilerNow: () => number
  /** Differs from the server's own only in a planted bug. */
  readonly handlers: Handlers
}

const sweepEvery = 300_000 as Millis
const reaskEvery = 60_000 as Millis
const silent = createLogger('silent')

/** Later than all of them: a target is tended whatever it was tended for. */
const anyVersion = 2 ** 31 - 1

export function createProcess(config: Config): Process {
  const runtimeOf = (now: () => number): Runtime => ({
    now: () => instant(now()),
    random: (count) => currentStrand().random.bytes(count),
  })
  const runtime = runtimeOf(config.now)
  const kinds = new Map([[config.targets.kind.kind, config.targets.kind]])
  const configurations = createConfigurations(kinds)
  const databases = config.store.openProcess(config.number)
  const secrets = { env: {}, secretsDir: '/nonexistent' }
  const targets = createTargets({ runtime, secrets })
  const courier = createCourier({ runtime, secrets })
  const sequencer = createSequencer({ db: databases.db, runtime, signing: async () => ({ current: config.signer }) })
  const log = { integrate: sequencer.integrate }
  const publicUrl = (): string => 'https://simulation.invalid'
  const key = createMasterKey([makeKey(Buffer.alloc(32))])
  const known = { configurations, findPrincipals, targets, kinds, key, publicUrl }
  const services: Services = { ...databases, runtime, ...known, sweepEvery, courier, log }
  const reconciling = { ...services, runtime: runtimeOf(config.reconcilerNow) }
  const reconciler = createReconciler({ ...reconciling, reaskEvery, log: silent })
  return {
    call: createRoutes(services, config.handlers),
    drain: reconciler.drain,
    tend: (resource) => tendNow(reconciling, { resource, version: anyVersion }),
    async reask() {
      await reassessGrants(reconciling, { filter: {}, because: 'fact-changed' })
      await reassessRequests(reconciling)
    },
    integrate: sequencer.integrate,
    tidy: () => housekeeping(services),
  }
}

type App = Parameters<typeof registerOperations>[0]
type Route = Parameters<App['route']>[0]
type Hooks = Record<'onRequest' | 'handler', (request: object, reply: object) => Promise<object>>
type Send = (call: Call) => Promise<Answer>

/** The API's own routes, called without HTTP: who is calling, what is valid, and what is done once, is all in them. */
function createRoutes(services: Services, table: Handlers): Send {
  const routes: { readonly route: Route; readonly path: RegExp }[] = []
  const app = {
    route(route: Route) {
      const path = new RegExp(`^${route.url.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
      routes.push({ route, path })
    },
  }
  const identity = createTokenIdentity(services)
  registerOperations(app as unknown as App, { services, identity, handlers: table, challenge: () => ({}) })
  return async ({ method, path, as, body, key }) => {
    const found = routes.find((one) => one.route.method === method && one.path.test(path))
    if (!found) throw new Error(`There is no route for ${method} ${path}.`)
    const headers = { authorization: `Bearer ${tokenOf(as)}`, ...(key !== undefined && { 'idempotency-key': key }) }
    const request = { headers, params: { ...found.path.exec(path)?.groups }, query: {}, body: copyOf(body) }
    let status = 200
    const reply = {
      header: () => reply,
      code(code: number) {
        status = code
        return reply
      },
    }
    const { onRequest, handler } = found.route as unknown as Hooks
    const answer = async (): Promise<object> => {
      await onRequest(request, reply)
      return handler(request, reply)
    }
    return answer().then(
      (output) => ({ status, body: copyOf(output) as Answer['body'] }),
      (error: unknown) => failed(error),
    )
  }
}

/** As it would have come over the wire. */
const copyOf = (value: object | undefined): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value))

function failed(error: unknown): Answer {
  const known = toApiError(error)
  const problem = toProblem(known ?? new ApiError('internal'))
  return { status: problem.status, body: { ...problem }, cause: known?.cause ?? error }
}
