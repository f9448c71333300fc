/** One history's world: a store, some processes, targets, one clock, and what the clients were told. */

import type { SignerKey } from '@tidegate/audit'
import type { Handlers } from '../../packages/server/src/operations/handler.ts'
import { handlers } from '../../packages/server/src/operations/handlers.ts'
import { everyVariant, filesOf, fullVariant, hashOfFiles, lockouts, targetNames, variants } from './configuration.ts'
import type { InvariantName } from './invariants.ts'
import type { Look, ReviewRow, Sight } from './look.ts'
import { createLook } from './look.ts'
import type { Call, Process } from './process.ts'
import { createProcess } from './process.ts'
import type { Random } from './random.ts'
import { createRandom } from './random.ts'
import type { Store, Tamper } from './store.ts'
import type { Fault, Outcome, Scheduler, Strand } from './strands.ts'
import { createScheduler } from './strands.ts'
import type { Disguise, SimulatedTarget, SimulatedTargets } from './targets.ts'

export const processCount = 3
/** No process's clock is further off. */
export const mostSkewMs = 3_000
const variantsByHash = new Map(everyVariant.map((_, index) => [hashOfFiles(filesOf(index)), index]))

const begins = Date.UTC(2026, 0, 5, 9)

/** What a planted bug changes. */
export type Planted = {
  readonly disguise?: Disguise
  readonly tamper?: Tamper
  /** Of the reconciler's clock. */
  readonly lagMs?: number
  readonly handlers?: (real: Handlers) => Handlers
  readonly withoutKeys?: boolean
}

export type Problem = { readonly invariant: InvariantName; readonly what: string }

/** What clients know for certain, because they were told. */
export type Told = {
  readonly requests: Map<string, { readonly key: string; readonly by: string }>
  readonly approvals: { readonly request: string; readonly approver: string; readonly verdict: string }[]
  readonly credentials: {
    readonly grant: string
    readonly secret: string
    readonly user: string
    readonly expiresAt: number
  }[]
  readonly ends: Map<string, { readonly reason: string; readonly at: string }>
  readonly cancelled: Set<string>
  /** What each review has to be from then on. */
  readonly reviews: Map<string, (review: ReviewRow) => boolean>
  /** How often each operation was done by standing power. */
  readonly standingUses: Map<string, number>
  /** Checkpoints of the log that somebody kept. */
  readonly checkpoints: Map<number, string>
}

export type World = {
  readonly store: Store
  readonly targets: SimulatedTargets
  readonly scheduler: Scheduler
  readonly random: (what: string) => Random
  readonly told: Told
  /** Of every login that was ever seen on a target. */
  readonly secrets: Set<string>
  readonly problems: Problem[]
  readonly planted: Planted
  readonly signer: SignerKey
  readonly trace: string[]
  now: number
  /** From here on no fault strikes. */
  calm: boolean
  sight: Sight
  /** The one before it. */
  earlier: Sight
  readonly processes: Process[]
  readonly skews: number[]
  /** By version, which of the variants it is. */
  readonly variantOf: (version: number) => number
  readonly clock: (process: number) => number
  readonly look: () => Promise<void>
  readonly log: (text: string) => void
  readonly fail: (invariant: InvariantName, what: string) => void
  readonly begin: (start: Begin, work: (process: Process) => Promise<unknown>) => Promise<Strand>
  readonly crash: (process: number) => Promise<void>
  readonly advance: (ms: number) => Promise<void>
  readonly landGhosts: (most: number) => Promise<number>
  /** The target on which the resource is, by this version; `undefined`: none, or there is no such resource in it. */
  readonly targetOf: (resource: string, version: number) => SimulatedTarget | undefined
  /** Judgements of what was completed, made once the store has been looked at. */
  completed: (() => void)[]
  /** Grants that policy shortened: their targets may still have the first end. */
  readonly shortened: Set<string>
  everDown: boolean
  /** A pass has failed: what it could not work on may wait for a while. */
  setAside: boolean
  /** Of the configuration in force. */
  readonly version: () => number
  readonly variantOfHash: (hash: string) => number
  readonly everEligible: (approver: string, spec: string) => boolean
  steps: number
  /** Requests whose askers have heard no answer. */
  unanswered: { readonly principal: string; readonly key: string; readonly body: object }[]
}

export type Begin = {
  readonly name: string
  readonly process: number
  readonly faults: readonly Fault[]
  readonly random: Random
  readonly done: (outcome: Outcome, strand: Strand) => void
}

export type Bench = {
  readonly store: Store
  readonly targets: SimulatedTargets
  readonly signer: SignerKey
  /** Read by the store's connections and the connectors: the world that is running. */
  readonly current: { planted: Planted; now: () => number }
}

type Config = { readonly seed: string; readonly planted?: Planted; readonly verbose?: boolean }

export async function createWorld(bench: Bench, { seed, planted = {}, verbose = false }: Config): Promise<World> {
  const { store, targets, signer } = bench
  await store.reset()
  targets.reset()
  const problems: Problem[] = []
  const trace: string[] = []
  const log = (line: string): void => void trace.push(line)
  const scheduler = createScheduler({
    crash: (process) => world.crash(process),
    passed: (strand, what) => {
      if (verbose) log(`        ${strand.number} ${strand.name}: ${what}`)
    },
    calm: () => world.calm,
  })
  const look: Look = createLook(store)
  const first = await look(true)
  const world: World = {
    store,
    targets,
    scheduler,
    signer,
    planted,
    problems,
    trace,
    log,
    random: (what) => createRandom(`${seed} ${what}`),
    told: {
      requests: new Map(),
      approvals: [],
      credentials: [],
      ends: new Map(),
      cancelled: new Set(),
      reviews: new Map(),
      standingUses: new Map(),
      checkpoints: new Map(),
    },
    now: begins,
    calm: false,
    sight: first,
    earlier: first,
    secrets: new Set(),
    processes: [],
    skews: [],
    steps: 0,
    completed: [],
    shortened: new Set(),
    everDown: false,
    setAside: false,
    version: () => world.sight.configurations.at(-1)?.version ?? 0,
    variantOfHash: (hash) => variantsByHash.get(hash) ?? 0,
    everEligible: (approver, spec) =>
      spec === 'leads' &&
      world.sight.configurations.some(({ hash }) =>
        fullVariant(variantsByHash.get(hash) ?? 0).leads.includes(approver),
      ),
    unanswered: [],
    clock: (process) => world.now + (world.skews[process] ?? 0),
    variantOf: (version) =>
      world.variantOfHash(world.sight.configurations.find((one) => one.version === version)?.hash ?? ''),
    targetOf(resource, version) {
      if (resource === 'orders') return targets.named('orders')
      if (resource === 'tidegate') return undefined
      const { ledger } = fullVariant(world.variantOf(version))
      return ledger && targets.named(ledger.target)
    },
    fail: (invariant, what) => void problems.push({ invariant, what }),
    async look() {
      world.earlier = world.sight
      world.sight = await look(scheduler.live().length + store.ghosts.length === 0)
    },
    begin: (start, work) => scheduler.start(start, () => work(world.processes[start.process] as Process)),
    async crash(process) {
      scheduler.crash(process)
      await store.crashProcess(process)
      world.processes[process] = makeProcess(world, process)
      await scheduler.released()
    },
    async advance(ms) {
      world.now += ms
      await store.endSilent()
      await scheduler.released()
    },
    async landGhosts(most) {
      let landed = 0
      for (const ghost of [...store.ghosts.splice(0, most), ...targets.ghosts.splice(0, most)]) {
        await ghost()
        landed++
      }
      await scheduler.released()
      return landed
    },
  }
  bench.current.planted = planted
  bench.current.now = () => world.now
  const random = world.random('skews')
  for (let process = 0; process < processCount; process++) {
    world.skews.push(random.below(2 * mostSkewMs + 1) - mostSkewMs)
    world.processes.push(makeProcess(world, process))
  }
  await prepare(world)
  return world
}

function makeProcess(world: World, number: number): Process {
  const { store, targets, signer, planted } = world
  return createProcess({
    number,
    store,
    targets,
    signer,
    now: () => world.clock(number),
    reconcilerNow: () => world.clock(number) - (planted.lagMs ?? 0),
    handlers: planted.handlers?.(handlers) ?? handlers,
  })
}

/** The roles are on the targets, and the targets are due to be tended. */
async function prepare(world: World): Promise<void> {
  const variant = fullVariant(0)
  for (const name of targetNames) {
    const { roles } = world.targets.named(name).memory
    roles.set('read', new Set(['select']))
    roles.set('write', new Set(variant.writePrivileges))
    if (name === 'orders') roles.set('admin', new Set(['select', 'insert', 'drop']))
  }
  await world.store.admin.query(`insert into target_state (resource, due_at) values ('orders', $1), ('ledger', $1)`, [
    new Date(world.now),
  ])
  await world.look()
}

export const callAs = (as: string, rest: Omit<Call, 'as'>): Call => ({ ...rest, as })

export const applyBody = (variant: number): object => ({ files: filesOf(variant) })

export const lockoutBodies = lockouts.map((_, index) => applyBody(variants.length + index))

/** It would leave nobody to change it back. */
export const isLockout = ({ body }: Call): boolean => body !== undefined && lockoutBodies.includes(body)
