/**
 * A route for every operation of the table: authenticate, authorise, validate, carry out. In that order, for all; and
 * strangers are counted before anything is done for them.
 */

import { Readable } from 'node:stream'
import type { AdministrationAuth, Auth, FieldProblem, Operation, OperationId, Output } from '@tidegate/api'
import { administrationAuth, ApiError, operations, pathParameters } from '@tidegate/api'
import { administrationResource, principalKey } from '@tidegate/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { hasAuth, standingBehind } from '../administration/held.ts'
import { recordStandingUse } from '../administration/standing.ts'
import type { Caller, Challenge, Identity, Known } from '../identity/identity.ts'
import type { Call, Handler, Handlers, Services } from '../operations/handler.ts'
import { change } from '../store/change.ts'
import { once, readKey } from './idempotency.ts'
import { askLimits, strangerLimits } from './limits.ts'
import { createAllowances, createThrottle, type Allowances, type Throttle } from './throttle.ts'

type Config = {
  readonly services: Services
  readonly identity: Identity
  readonly challenge: Challenge
  readonly handlers: Handlers
}

type Deps = Config & {
  /** Of those who call without a token. */
  readonly strangers: Throttle
  /** Of principals, for what they ask and do not get. */
  readonly asks: Allowances
}

export function registerOperations(app: FastifyInstance, config: Config): void {
  const asks = createAllowances({ limits: askLimits })
  const deps: Deps = { ...config, strangers: createThrottle({ limits: strangerLimits }), asks }
  for (const id of Object.keys(operations) as OperationId[]) {
    const operation: Operation = operations[id]
    // Within the loop the id's type is lost; the table of handlers has the entry of the same name.
    const handler = deps.handlers[id] as Handler<OperationId>
    const route: Route = { id, operation, handler, deps }
    /** Those that were admitted, and as whom: nobody in particular where anyone may call. */
    const callers = new WeakMap<FastifyRequest, Known | 'anyone'>()
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      onRequest: async (request, reply) => void callers.set(request, await admit(route, request, reply)),
      handler: (request, reply) => serve(route, { request, reply, caller: callers.get(request) }),
    })
  }
}

type Route = {
  readonly id: OperationId
  readonly operation: Operation
  readonly handler: Handler<OperationId>
  readonly deps: Deps
}

/** Before the body is read: whoever may not call is not listened to. */
async function admit(
  { operation, deps }: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Known | 'anyone'> {
  if (operation.auth === 'anyone') return admitStranger(deps, request)
  const recognised = await deps.identity.authenticate(request)
  if (!recognised) {
    void reply.headers(deps.challenge(request))
    throw new ApiError('unauthenticated')
  }
  if (recognised.setCookie !== undefined) void reply.header('set-cookie', recognised.setCookie)
  authorise(recognised.caller, operation.auth)
  return recognised.caller
}

function admitStranger({ strangers }: Deps, request: FastifyRequest): 'anyone' {
  countStranger(strangers, request)
  return 'anyone'
}

/** @throws {ApiError} `too-many` */
export const countStranger = (strangers: Throttle, { ip }: FastifyRequest): void => waitFor(strangers.take(ip))

/** @throws {ApiError} `too-many`, where there is something to wait for */
export function waitFor(waitMs: number | undefined): void {
  if (waitMs === undefined) return
  const retryAfterSeconds = Math.ceil(waitMs / 1_000)
  throw new ApiError('too-many', { detail: `Try again in ${retryAfterSeconds} s.`, retryAfterSeconds })
}

type Admitted = {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly caller: Known | 'anyone' | undefined
}

async function serve({ id, operation, handler, deps }: Route, { request, reply, caller }: Admitted): Promise<unknown> {
  if (!caller) throw new Error(`${id} is served without its caller having been admitted.`)
  const key = operation.idempotent ? readKey(request.headers['idempotency-key']) : undefined
  const input = validate(operation, inputOf(operation, request))
  const call = { services: deps.services, caller: caller === 'anyone' ? undefined : caller, input } as Call<OperationId>
  const role = caller === 'anyone' || 'gateway' in caller ? undefined : standingBehind(caller, operation.auth)
  const standing = role && { caller: caller as Caller, role, operation: id }
  const work = () => carryOut(handler, call, { standing, ...(key !== undefined && { keyed: { key, operation: id } }) })
  const output = operation.counted ? await counted(deps.asks, call.caller, work) : await work()
  if (caller === 'anyone') deps.strangers.trust(request.ip)
  void reply.code(operation.status ?? 200)
  const rest = handler.kind === 'plain' ? handler.follow?.(call, output as Output<OperationId>) : undefined
  return rest === undefined ? output : asLines(reply, output, rest)
}

/** Each answer on a line of its own, as soon as there is one: nginx would keep them back until there are no more. */
function asLines(reply: FastifyReply, first: unknown, rest: AsyncIterable<unknown>): Readable {
  void reply.type('application/x-ndjson').header('x-accel-buffering', 'no')
  return Readable.from(linesOf(first, rest))
}

async function* linesOf(first: unknown, rest: AsyncIterable<unknown>): AsyncGenerator<string> {
  yield `${JSON.stringify(first)}\n`
  for await (const answer of rest) yield `${JSON.stringify(answer)}\n`
}

/** @throws {ApiError} `too-many` for whoever asked too often for what they did not get */
async function counted(asks: Allowances, { principal }: Caller, work: () => Promise<unknown>): Promise<unknown> {
  const name = principalKey(principal)
  waitFor(asks.wait(name))
  try {
    const output = await work()
    if (cameToNothing(output)) asks.spend(name)
    return output
  } catch (error) {
    if (error instanceof ApiError && error.code === 'break-glass-refused') asks.spend(name)
    throw error
  }
}

type Asked = { readonly status: string }

/** The request is the answer, or in it. */
function cameToNothing(output: unknown): boolean {
  const answer = output as Asked | { readonly request: Asked }
  const { status } = 'request' in answer ? answer.request : answer
  return status === 'denied' || status === 'pending'
}

type Circumstances = {
  readonly keyed?: { readonly key: string; readonly operation: string }
  /** It takes a role of Tidegate itself, and no grant gives it to the caller. */
  readonly standing: Parameters<typeof recordStandingUse>[1] | undefined
}

async function carryOut(
  handler: Handler<OperationId>,
  call: Call<OperationId>,
  { keyed, standing }: Circumstances,
): Promise<unknown> {
  if (handler.kind === 'plain') return handler.run(call)
  const output = await change(call.services, async (unit) => {
    if (standing) await recordStandingUse(unit, standing)
    if (!keyed) return handler.run(call, unit)
    const principal = principalKey(call.caller.principal)
    return once(unit, { ...keyed, principal, input: call.input }, () => handler.run(call, unit))
  })
  return handler.after ? handler.after(call, output) : output
}

/** One rule per word of the table, for principals. */
const rules: Record<Exclude<Auth, 'anyone'>, (caller: Caller) => string | undefined> = {
  principal: () => undefined,
  person: ({ principal }) => (principal.kind === 'user' ? undefined : 'Only a person does this.'),
  administrator: (caller) => needs(caller, 'administrator'),
  'policy-author': (caller) => needs(caller, 'policy-author'),
  auditor: (caller) => needs(caller, 'auditor'),
  'policy-reader': (caller) => needs(caller, 'policy-reader'),
  'signal-source': ({ principal }) => (principal.kind === 'service' ? undefined : 'Only a service sends signals.'),
  gateway: () => 'Only a gateway does this.',
}

function needs(caller: Caller, auth: AdministrationAuth): string | undefined {
  if (hasAuth(caller, auth)) return undefined
  const roles = administrationAuth[auth].map((role) => `${administrationResource}/${role}`).toReversed()
  return `This takes ${roles.join(' or ')}, held now. Ask for it: tidegate assume ${roles[0]}.`
}

const gatewayRule = (auth: Auth): string | undefined =>
  auth === 'gateway' ? undefined : 'A gateway does only what is for gateways.'

function authorise(caller: Known, auth: Exclude<Auth, 'anyone'>): void {
  const refusal = 'gateway' in caller ? gatewayRule(auth) : rules[auth](caller)
  if (refusal !== undefined) throw new ApiError('forbidden', { detail: refusal })
}

function inputOf(operation: Operation, request: FastifyRequest): unknown {
  const params = request.params as Record<string, unknown>
  const rest = operation.method === 'GET' ? request.query : request.body
  if (rest === undefined || rest === null) return { ...params }
  if (typeof rest !== 'object' || Array.isArray(rest)) throw new ApiError('not-json')
  for (const name of pathParameters(operation.path)) {
    if (Object.hasOwn(rest, name)) {
      throw new ApiError('invalid-input', {
        problems: [{ field: name, message: 'Stands in the path; leave it out here.' }],
      })
    }
  }
  return { ...rest, ...params }
}

function validate(operation: Operation, input: unknown): unknown {
  const result = operation.input.safeParse(input)
  if (result.success) return result.data
  throw new ApiError('invalid-input', { problems: result.error.issues.map(problemOf) })
}

function problemOf(issue: z.core.$ZodIssue): FieldProblem {
  const field = issue.path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${String(part)}`))
    .join('')
  if (issue.code === 'unrecognized_keys')
    return {
      field: issue.keys.join(', '),
      message: 'There is no such field.',
      remedy: 'Leave it out, or check its spelling.',
    }
  return { field: field || 'body', message: issue.message }
}
