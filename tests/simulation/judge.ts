/** What follows from an answer that a client got, or from work that was done undisturbed. */

import type { GrantId } from '@tidegate/core'
import { minutesOf } from './time.ts'
import type { GrantRow, ReviewRow, Sight } from './look.ts'
import { judgePower } from './power.ts'
import type { Answer, Call } from './process.ts'
import { secretsIn } from './secrets.ts'
import type { Outcome, Strand } from './strands.ts'
import type { World } from './world.ts'
import { isLockout, mostSkewMs } from './world.ts'

type Completed = { readonly outcome: Outcome; readonly strand: Strand; readonly name: string }
export type Called = Completed & { readonly call: Call; readonly begun: Begun }
/** How things stood when the work was begun. */
export type Begun = {
  readonly now: number
  readonly healthy: boolean
  readonly step: number
  readonly grants: Sight['grants']
  /** Of the configuration in force. */
  readonly version: number
}
export type Worked = Completed & { readonly begun: Begun }

/** Judged once the store has been looked at: nothing else is let through before. */
export const judge = (world: World, called: Called): void => void world.completed.push(() => judgeCall(world, called))
export const closed = (world: World, worked: Worked): void => void world.completed.push(() => judgeWork(world, worked))

export const begunNow = (world: World, process: number): Begun => ({
  now: world.clock(process),
  healthy: isHealthy(world),
  step: world.steps,
  grants: world.sight.grants,
  version: world.version(),
})

const isHealthy = (world: World): boolean =>
  world.targets.all().every(({ down }) => !down) && world.store.ghosts.length === 0

const untouched = ({ solo, struck }: Strand): boolean => solo && struck.length === 0

function judgeCall(world: World, called: Called): void {
  const { outcome, strand, name, call } = called
  if (outcome.kind === 'crashed') return world.log(`        ${strand.number} is gone with its process`)
  if (outcome.kind === 'error') return world.fail('nothing-unexpected', `${name} threw ${String(outcome.error)}`)
  const answer = outcome.value as Answer
  world.log(`        ${strand.number} ${answer.status} ${summary(answer)}`)
  judgeStatus(world, called, answer)
  judgePower(world, called, answer)
  if (!handsOut(call))
    for (const what of secretsIn(world, JSON.stringify(answer.body), `the answer to ${name}`))
      world.fail('secrets-stay-out', what)
  if (call.method === 'GET') judgeReading(world, called)
  if (answer.status >= 300) return
  const rule = answers.find(([path]) => path.test(call.path) && call.method !== 'GET')
  rule?.[1](world, { ...called, answer, id: call.path.split('/')[3] ?? '' })
}

/** Its answer, and no other, holds a secret. */
const handsOut = ({ path }: Call): boolean =>
  path.endsWith('/activate') || path === '/v1/access' || path === '/v1/break-glass'

function summary({ status, body }: Answer): string {
  if (status >= 300) return `${textOf(body['code'])} ${textOf(body['detail'])}`.slice(0, 160)
  const grant = (body['grant'] ?? {}) as Record<string, unknown>
  return [
    body['id'],
    body['state'],
    body['status'],
    typeof grant === 'string' ? grant : grant['state'],
    body['grantsEnded'],
  ]
    .map(textOf)
    .filter((part) => part !== '')
    .join(' ')
}

const textOf = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

function judgeStatus(world: World, { strand, name, call }: Called, { status, body, cause }: Answer): void {
  const code = String(body['code'])
  const because = `${name}: ${status} ${code} ${String(body['detail'])} ${String(cause)}`
  const disturbed = strand.struck.length > 0
  if (status === 500) world.fail('nothing-unexpected', because)
  if (status === 503 && code === 'unavailable' && !disturbed) world.fail('nothing-unexpected', because)
  if (status === 503 && code === 'target-unavailable' && !disturbed && !world.everDown)
    world.fail('nothing-unexpected', because)
  if (status === 401) world.fail('nothing-unexpected', because)
  // A start that is over by the time it is looked at is refused, rightly, and so is a later end that is none.
  const refusable =
    isLockout(call) || (call.body && 'startAt' in call.body) || (call.path.endsWith('/extend') && asksForLess(body))
  if (status === 400 && !refusable) world.fail('nothing-unexpected', because)
}

const asksForLess = ({ problems }: Answer['body']): boolean =>
  (problems as readonly { field: string }[] | undefined)?.[0]?.field === 'duration'

/** Nothing else was under way: whatever is different was changed by the reading. */
function judgeReading(world: World, { strand, name, begun }: Called): void {
  if (!untouched(strand) || begun.step !== world.steps) return
  if (rowsOf(world.sight) !== rowsOf(world.earlier)) world.fail('reading-changes-nothing', `${name} changed something`)
}

const rowsOf = ({ grants, requests, findings, reviews, changes, entries }: Sight): string =>
  JSON.stringify([[...grants], [...requests], findings, reviews, changes, entries.length])

type Heard = Called & { readonly answer: Answer; readonly id: string }

const answers: readonly [RegExp, (world: World, heard: Heard) => void][] = [
  [
    /^\/v1\/requests$/,
    (world, { answer, call }) => {
      const { reason } = call.body as { reason: string }
      world.told.requests.set(String(answer.body['id']), { key: reason, by: String(answer.body['principal']) })
    },
  ],
  [
    /^\/v1\/requests\/[^/]+\/(approve|deny)$/,
    (world, { call, id }) => {
      const verdict = call.path.endsWith('approve') ? 'approve' : 'deny'
      world.told.approvals.push({ request: id, approver: callerOf(call), verdict })
    },
  ],
  [/^\/v1\/requests\/[^/]+\/cancel$/, (world, { id }) => void world.told.cancelled.add(id)],
  [/^\/v1\/grants\/[^/]+\/activate$/, handedOver],
  [/^\/v1\/access$/, openedAtOnce],
  [/^\/v1\/break-glass$/, glassBroken],
  [
    /^\/v1\/reviews\/[^/]+\/close$/,
    (world, { id, call }) => void world.told.reviews.set(id, ({ closed_by }) => closed_by === callerOf(call)),
  ],
  [/^\/v1\/grants\/[^/]+\/extend$/, extendedNow],
  [
    /^\/v1\/grants\/[^/]+\/(done|revoke)$/,
    (world, { answer, id, name }) => {
      const end = answer.body['end'] as { reason: string; at: string } | undefined
      if (!end)
        return world.fail(
          'ends-are-final',
          `${name} was answered with a grant that has not ended: ${String(answer.body['state'])}`,
        )
      world.told.ends.set(id, end)
    },
  ],
  [/^\/v1\/signals$/, afterSignal],
]

const callerOf = (call: Call): string => call.as.slice('user:'.length)

function handedOver(world: World, { answer, id, strand, begun }: Heard): void {
  const { credential } = answer.body as { credential: { user: string; secret: string; expiresAt: string } }
  const expiresAt = Date.parse(credential.expiresAt)
  world.told.credentials.push({ grant: id, user: credential.user, secret: credential.secret, expiresAt })
  const row = world.sight.grants.get(id)
  const fail = (what: string): void =>
    world.fail('credential-only-while-live', `${id}: a credential was handed out ${what}`)
  if (row?.state !== 'active') return fail(`while its grant is ${row?.state ?? 'not there'}`)
  const clock = world.clock(strand.process)
  // Its end may pass while the last statement is under way; the target refuses it then.
  if ((row.expires_at ?? 0) <= clock && begun.step === world.steps)
    fail(`${clock - (row.expires_at ?? 0)} ms after its end`)
  const moved = expiresAt > (row.expires_at ?? 0) ? world.shortened.has(id) : row.extension !== null
  if (expiresAt !== row.expires_at && !moved)
    fail(`that says it lasts ${minutesOf(expiresAt - (row.expires_at ?? 0))} longer than its grant`)
}

function openedAtOnce(world: World, heard: Heard): void {
  const { body } = heard.answer
  const [request, grant] = [body['request'], body['grant']] as { id: string; principal: string }[]
  const { reason } = heard.call.body as { reason: string }
  world.told.requests.set(String(request?.id), { key: reason, by: String(request?.principal) })
  // A role of Tidegate itself has no login to hand out.
  if (grant && body['credential'] !== undefined) handedOver(world, { ...heard, id: grant.id })
}

function glassBroken(world: World, heard: Heard): void {
  openedAtOnce(world, heard)
  const { id, principal } = heard.answer.body['review'] as { id: string; principal: string }
  world.told.reviews.set(id, ({ person }: ReviewRow) => `user:${person}` === principal)
}

type Extended = {
  readonly request: { readonly id: string; readonly principal: string; readonly status: string }
  readonly grant: { readonly expiresAt: string }
  readonly targetKnows?: boolean
}

function extendedNow(world: World, { answer, call, id, strand, begun }: Heard): void {
  const { request, grant, targetKnows } = answer.body as Extended
  world.told.requests.set(request.id, { key: (call.body as { reason: string }).reason, by: request.principal })
  const row = world.sight.grants.get(id)
  const undisturbed = untouched(strand) && begun.step === world.steps
  if (request.status !== 'approved' || targetKnows !== true || !undisturbed || row?.state !== 'active') return
  const until = Date.parse(grant.expiresAt)
  const login = world.targetOf(row.resource, row.configuration ?? 0)?.memory.logins.get(id as GrantId)
  if (login && login.expiresAt !== until)
    world.fail('the-target-hears-first', `${id}: its holder was told a later end, and its target was not`)
}

/** Who is known to have a bad device has nothing open, once that has been answered. */
function afterSignal(world: World, { call, strand, name, begun }: Heard): void {
  const { name: kind, subject, value } = call.body as { name: string; subject: string; value: { compliant?: boolean } }
  if (kind !== 'device' || value.compliant !== false || !untouched(strand)) return
  // Said by a server whose clock is behind that of the one before, it counts as the older of the two.
  const kept = world.sight.signals.find((one) => one.name === kind && one.subject === subject)
  if ((kept?.observed_at ?? 0) > begun.now) return
  const concerned = subject === 'user:alice' ? [subject, 'agent:helper'] : [subject]
  const left = [...world.sight.grants.values()].filter(
    ({ state, principal }) => concerned.includes(principal) && isOpen(state),
  )
  for (const { id, state } of left) world.fail('facts-end-grants', `${id} is ${state} after ${name}`)
}

const isOpen = (state: string): boolean => state === 'active' || state === 'provisioning'

function judgeWork(world: World, { outcome, strand, name, begun }: Worked): void {
  if (outcome.kind === 'crashed') return world.log(`        ${strand.number} is gone with its process`)
  if (outcome.kind === 'error') {
    world.log(`        ${strand.number} failed: ${String(outcome.error)}`)
    world.setAside = true
    if (strand.struck.length === 0) world.fail('nothing-unexpected', `${name} failed: ${String(outcome.error)}`)
    return
  }
  const clean = untouched(strand) && begun.step === world.steps && begun.healthy && isHealthy(world)
  if (!clean) return
  if (name === 'pass') endedEarly(world, begun.now)
  if (name === 'pass') afterPass(world, begun.now)
  if (name.startsWith('tend ') && outcome.value !== undefined) afterTending(world, name.slice('tend '.length))
}

/** What it ended for its time had come to it by the clock of whoever passed: time stands still during a pass. */
function endedEarly(world: World, clock: number): void {
  for (const { id, end_reason, expires_at } of world.sight.grants.values()) {
    const now = end_reason === 'expired' && world.earlier.grants.get(id)?.end_reason === null
    if (now && (expires_at ?? 0) > clock)
      world.fail('expiry-is-exact', `${id} was ended as expired ${(expires_at ?? 0) - clock} ms before its end`)
  }
}

/** The slowest retry, and a clock that was ahead when it was noted. */
const longestAsideMs = 60_000 + 2 * mostSkewMs

function afterPass(world: World, clock: number): void {
  const fail = (what: string): void => world.fail('pass-leaves-nothing-due', `after an undisturbed pass ${what}`)
  const overdue = (at: number | null): boolean => at !== null && at <= clock
  for (const grant of world.sight.grants.values()) {
    if (overdue(grant.due_at)) fail(`${grant.id} (${grant.state}) is due since ${clock - (grant.due_at ?? 0)} ms`)
    // What could not be worked on was set aside for a while, and only then.
    const aside = world.setAside && grant.due_at !== null && grant.due_at - clock <= longestAsideMs
    if (aside) continue
    if (isOpen(grant.state) && overdue(grant.expires_at))
      fail(`${grant.id} is ${grant.state} ${clock - (grant.expires_at ?? 0)} ms after its end`)
    if (grant.state === 'ready' && overdue(grant.activate_by)) fail(`${grant.id} is ready after it lapsed`)
    if (grant.state === 'scheduled' && overdue(grant.start_at)) fail(`${grant.id} is not ready at its start`)
  }
  for (const { id, status, pending_until } of world.sight.requests.values())
    if (status === 'pending' && overdue(pending_until))
      fail(`${id} is pending ${clock - pending_until} ms after its time`)
  for (const { resource, due_at } of world.sight.tending)
    if (overdue(due_at)) fail(`${resource} is to be tended since ${clock - due_at} ms`)
}

function afterTending(world: World, resource: string): void {
  const target = world.targetOf(resource, world.version())
  if (!target) return
  for (const grant of target.memory.logins.keys())
    if (!mayBeOn(world.sight.grants.get(grant)))
      world.fail('tending-leaves-no-orphans', `${grant} is on ${target.name} after it was tended undisturbed`)
}

/** Something of the grant may be on its target. */
export const mayBeOn = (grant: GrantRow | undefined): boolean =>
  grant?.state === 'provisioning' || grant?.state === 'active' || grant?.state === 'ending'
