import { expect, test } from 'vitest'
import { after, hours, instant, minutes, seconds } from '../time.ts'
import type { Instant } from '../time.ts'
import type { GrantOutcome } from './commands.ts'
import {
  activate,
  closed,
  dueAt,
  end,
  extend,
  givesAccess,
  hasExpired,
  oblige,
  openFailed,
  opened,
  shorten,
  timePassed,
} from './commands.ts'
import type { Grant, GrantEvent } from './grant.ts'
import { evolveGrant, restsOn } from './grant.ts'

const filed = instant(Date.UTC(2026, 0, 5, 9))
const provisioningTimeout = seconds(30)

const ready: Grant = {
  id: 'grt_1',
  request: 'req_1',
  principal: { kind: 'user', id: 'alice' },
  resource: 'orders-db',
  role: 'readonly',
  state: 'ready',
  duration: hours(1),
  activateBy: after(filed, hours(24)),
  attempt: 0,
  unsureAttempts: 0,
  obligations: [],
}

const scheduled: Grant = { ...ready, state: 'scheduled', startAt: after(filed, hours(2)) }

const then = (grant: Grant, outcome: GrantOutcome): Grant => {
  if ('refused' in outcome) throw new Error(`refused: ${outcome.refused}`)
  return outcome.events.reduce(evolveGrant, grant)
}

const typesOf = (outcome: GrantOutcome): string[] =>
  'refused' in outcome ? [`refused: ${outcome.refused}`] : outcome.events.map(({ type }) => type)

const started = after(filed, hours(5))
const opening = then(ready, activate(ready, { now: started, allowed: hours(8) }))
const active = then(opening, opened(opening, { now: after(started, seconds(2)), attempt: 1 }))
const ending = then(active, end(active, { reason: 'done', at: after(started, minutes(5)), by: 'user:alice' }))
const ended = then(ending, closed(ending, { now: after(started, minutes(6)), sessionsEnded: 2 }))

test('the clock starts when the grant is activated, however long ago it was asked for', () => {
  expect(opening.activatedAt).toBe(started)
  expect(opening.expiresAt).toBe(after(started, hours(1)))
})

test('what policy allows now can shorten the grant and not lengthen it', () => {
  const lowered = then(ready, activate(ready, { now: started, allowed: minutes(10) }))
  expect(lowered.expiresAt).toBe(after(started, minutes(10)))
  expect(opening.expiresAt).toBe(after(started, ready.duration))
})

test('a credential made anew at minute 59 ends with the grant, a minute later', () => {
  const late = after(started, minutes(59))
  const reissued = then(active, activate(active, { now: late, allowed: hours(8) }))
  expect(reissued).toEqual({ ...active, attempt: 2 })
  expect(givesAccess(reissued, after(late, minutes(1)))).toBe(false)
})

test('while opening is still being tried no credential was handed out, so the clock starts again', () => {
  const again = after(started, minutes(3))
  const retried = then(opening, activate(opening, { now: again, allowed: hours(8) }))
  expect(retried).toMatchObject({ state: 'provisioning', attempt: 2, unsureAttempts: 2, activatedAt: again })
  expect(retried.expiresAt).toBe(after(again, hours(1)))
})

test('an active grant gives access up to its end and not at it', () => {
  const expiresAt = active.expiresAt!
  expect(givesAccess(active, instant(expiresAt - 1))).toBe(true)
  expect(givesAccess(active, expiresAt)).toBe(false)
  expect(typesOf(timePassed(active, { now: instant(expiresAt - 1), provisioningTimeout }))).toEqual([])
  expect(timePassed(active, { now: expiresAt, provisioningTimeout })).toEqual({
    events: [{ type: 'grant.ending', at: expiresAt, end: { reason: 'expired', at: expiresAt } }],
    effects: ['close'],
  })
})

test('an active grant without an end has run out: absence fails closed', () => {
  const { expiresAt: _absent, ...rest } = active
  const endless: Grant = rest
  expect(hasExpired(endless, started)).toBe(true)
  expect(givesAccess(endless, started)).toBe(false)
  expect(typesOf(timePassed(endless, { now: started, provisioningTimeout }))).toEqual(['grant.ending'])
})

test.each([
  ['scheduled', scheduled],
  ['ready', ready],
  ['provisioning', opening],
  ['ending', ending],
  ['ended', ended],
] as const)('a grant that is %s gives no access', (_state, grant) => {
  expect(givesAccess(grant, after(started, seconds(3)))).toBe(false)
})

test('a scheduled grant is not activated before its start, and is ready from it on', () => {
  const { startAt } = scheduled
  expect(activate(scheduled, { now: filed, allowed: hours(1) })).toEqual({ refused: 'grant-not-started', startAt })
  expect(typesOf(timePassed(scheduled, { now: instant(startAt! - 1), provisioningTimeout }))).toEqual([])
  expect(typesOf(timePassed(scheduled, { now: startAt!, provisioningTimeout }))).toEqual(['grant.ready'])
})

test('a grant that nobody activated lapses at its last instant, for its holder and for the clock alike', () => {
  const last = instant(ready.activateBy - 1)
  expect(typesOf(activate(ready, { now: last, allowed: hours(1) }))).toEqual(['grant.opening'])
  expect(typesOf(timePassed(ready, { now: last, provisioningTimeout }))).toEqual([])
  expect(typesOf(activate(ready, { now: ready.activateBy, allowed: hours(1) }))).toEqual(['refused: grant-lapsed'])
  const lapsed = then(ready, timePassed(ready, { now: ready.activateBy, provisioningTimeout }))
  expect(lapsed).toMatchObject({ state: 'ended', end: { reason: 'lapsed' } })
})

test('the result of an older attempt than the latest is ignored', () => {
  const retried = then(opening, activate(opening, { now: after(started, seconds(40)), allowed: hours(1) }))
  const now = after(started, seconds(41))
  const failure = { now, cause: 'unreachable', leftNothing: true, giveUp: true }
  expect(opened(retried, { now, attempt: 1 })).toEqual({ refused: 'stale-attempt' })
  expect(openFailed(retried, { ...failure, attempt: 1 })).toEqual({ refused: 'stale-attempt' })
  expect(typesOf(opened(retried, { now, attempt: 2 }))).toEqual(['grant.opened'])
})

test('an opening that is done after the grant has ended is refused with that end', () => {
  const over = then(opening, end(opening, { reason: 'revoked', at: after(started, seconds(1)), by: 'user:dora' }))
  expect(opened(over, { now: after(started, seconds(2)), attempt: 1 })).toEqual({
    refused: 'grant-ended',
    end: over.end,
  })
})

test('an opening that took until the end of the grant does not make it active', () => {
  expect(opened(opening, { now: opening.expiresAt!, attempt: 1 })).toMatchObject({ refused: 'grant-ended' })
})

test('opening is reported for a grant that is being opened, and for no other', () => {
  expect(opened(ready, { now: started, attempt: 0 })).toEqual({ refused: 'wrong-state', state: 'ready' })
  expect(opened(scheduled, { now: started, attempt: 0 })).toEqual({ refused: 'wrong-state', state: 'scheduled' })
  expect(opened(active, { now: started, attempt: 1 })).toEqual({ events: [], effects: [] })
})

const failure = { now: after(started, seconds(5)), attempt: 1, cause: 'unreachable' }

test('a failure that certainly left nothing lets the holder try again, with the clock not started', () => {
  const waiting = then(opening, openFailed(opening, { ...failure, leftNothing: true, giveUp: false }))
  expect(waiting).toEqual({ ...ready, attempt: 1 })
})

test('a failure that may have left something is never taken for a clean one, also when a later attempt was', () => {
  const unsure = then(opening, openFailed(opening, { ...failure, leftNothing: false, giveUp: false }))
  expect(unsure).toMatchObject({ state: 'provisioning', unsureAttempts: 1 })
  const retried = then(unsure, activate(unsure, { now: failure.now, allowed: hours(1) }))
  const second = { ...failure, attempt: 2, leftNothing: true }
  expect(then(retried, openFailed(retried, { ...second, giveUp: false })).state).toBe('provisioning')
  expect(then(retried, openFailed(retried, { ...second, giveUp: true })).state).toBe('ending')
})

test('giving up ends a clean failure at once, and closes one that may have left something', () => {
  const clean = openFailed(opening, { ...failure, leftNothing: true, giveUp: true })
  expect(then(opening, clean)).toMatchObject({ state: 'ended', end: { reason: 'open-failed', note: 'unreachable' } })
  expect(clean).toMatchObject({ effects: [] })
  const dirty = openFailed(opening, { ...failure, leftNothing: false, giveUp: true })
  expect(then(opening, dirty)).toMatchObject({ state: 'ending', end: { reason: 'open-failed' } })
  expect(dirty).toMatchObject({ effects: ['close'] })
})

test('a secret that could not be made anew leaves the active grant as it is', () => {
  const reissued = then(active, activate(active, { now: failure.now, allowed: hours(1) }))
  const failed = openFailed(reissued, { ...failure, attempt: 2, leftNothing: false, giveUp: true })
  expect(failed).toEqual({ refused: 'wrong-state', state: 'active' })
})

test('an attempt without a result counts as interrupted after the timeout, or at the end of the grant', () => {
  const cut = after(started, provisioningTimeout)
  expect(typesOf(timePassed(opening, { now: instant(cut - 1), provisioningTimeout }))).toEqual([])
  const interrupted = then(opening, timePassed(opening, { now: cut, provisioningTimeout }))
  expect(interrupted).toMatchObject({ state: 'ending', end: { reason: 'open-failed' } })
  const short = then(ready, activate(ready, { now: started, allowed: seconds(10) }))
  expect(dueAt(short, { now: started, provisioningTimeout })).toBe(after(started, seconds(10)))
  const expired = then(short, timePassed(short, { now: after(started, seconds(10)), provisioningTimeout }))
  expect(expired).toMatchObject({ state: 'ending', end: { reason: 'expired' } })
})

test('ending before anything was opened is the end; afterwards the target is closed first', () => {
  const revoked = { reason: 'revoked', at: started, by: 'user:dora' } as const
  for (const grant of [scheduled, ready]) expect(then(grant, end(grant, revoked)).state).toBe('ended')
  for (const grant of [opening, active]) {
    expect(end(grant, revoked)).toMatchObject({ effects: ['close'] })
    expect(then(grant, end(grant, revoked)).state).toBe('ending')
  }
})

test('the first end is the one that counts', () => {
  const again = { reason: 'revoked', at: after(started, minutes(9)), by: 'user:dora' } as const
  for (const grant of [ending, ended]) expect(end(grant, again)).toEqual({ refused: 'grant-ended', end: ending.end })
  expect(ended).toMatchObject({ end: ending.end, endedAt: after(started, minutes(6)) })
})

test('an ending grant asks to be closed whenever it is looked at, until it is', () => {
  const clock = { now: after(started, hours(100)), provisioningTimeout }
  expect(timePassed(ending, clock)).toEqual({ events: [], effects: ['close'] })
  expect(dueAt(ending, clock)).toBe(clock.now)
  expect(timePassed(ended, clock)).toEqual({ events: [], effects: [] })
  expect(dueAt(ended, clock)).toBeUndefined()
})

test('only what is ending is closed', () => {
  for (const grant of [scheduled, ready, opening, active, ended])
    expect(closed(grant, { now: started, sessionsEnded: 0 })).toEqual({ refused: 'wrong-state', state: grant.state })
})

test('policy that gives less ends the grant earlier, counted from its activation; policy that gives more does nothing', () => {
  const now = after(started, minutes(20))
  const shorter = then(active, shorten(active, { now, allowed: minutes(30) }))
  expect(shorter.expiresAt).toBe(after(started, minutes(30)))
  expect(typesOf(shorten(active, { now, allowed: hours(1) }))).toEqual([])
  expect(typesOf(shorten(active, { now, allowed: hours(9) }))).toEqual([])
  const past = then(active, shorten(active, { now, allowed: minutes(10) }))
  expect(givesAccess(past, now)).toBe(false)
})

const extension = (now: Instant, duration = hours(1)) => ({ now, request: 'req_2', duration }) as const

test('what is extended lasts so long from then on, rests on that request, and is due at its new end', () => {
  const now = after(started, minutes(50))
  const longer = then(active, extend(active, extension(now)))
  expect(longer).toMatchObject({
    state: 'active',
    activatedAt: started,
    duration: hours(1),
    expiresAt: after(now, hours(1)),
    extension: { request: 'req_2', at: now },
  })
  expect([restsOn(active), restsOn(longer)]).toEqual(['req_1', 'req_2'])
  expect(dueAt(longer, { now, provisioningTimeout })).toBe(after(now, hours(1)))
  expect(givesAccess(longer, active.expiresAt!)).toBe(true)
})

test('policy that gives less than an extension shortens what is counted from that', () => {
  const now = after(started, minutes(50))
  const longer = then(active, extend(active, extension(now)))
  const shorter = then(longer, shorten(longer, { now, allowed: minutes(20) }))
  expect(shorter.expiresAt).toBe(after(now, minutes(20)))
  expect(typesOf(shorten(longer, { now, allowed: hours(1) }))).toEqual([])
})

test('nothing is extended that lasts that long already', () => {
  expect(typesOf(extend(active, extension(started)))).toEqual([])
  expect(typesOf(extend(active, extension(after(started, minutes(1)), minutes(59))))).toEqual([])
  expect(typesOf(extend(active, extension(after(started, minutes(1)), minutes(60))))).toEqual(['grant.extended'])
})

test('only what is open and not over is extended', () => {
  for (const grant of [scheduled, ready, opening])
    expect(extend(grant, extension(started))).toEqual({ refused: 'wrong-state', state: grant.state })
  for (const grant of [ending, ended])
    expect(extend(grant, extension(started))).toEqual({ refused: 'grant-ended', end: ending.end })
  const last = instant(active.expiresAt! - 1)
  expect(typesOf(extend(active, extension(last)))).toEqual(['grant.extended'])
  const end = { reason: 'expired', at: active.expiresAt! }
  expect(extend(active, extension(active.expiresAt!))).toEqual({ refused: 'grant-ended', end })
})

test('what has not started or is over is not shortened', () => {
  for (const grant of [scheduled, ready, ending, ended])
    expect(typesOf(shorten(grant, { now: started, allowed: seconds(1) }))).toEqual([])
})

test.each<[string, Grant, GrantEvent['type'], Instant]>([
  ['scheduled', scheduled, 'grant.ready', scheduled.startAt!],
  ['ready', ready, 'grant.ended', ready.activateBy],
  ['active', active, 'grant.ending', active.expiresAt!],
])('a grant that is %s is due when time asks something of it', (_state, grant, type, at) => {
  expect(dueAt(grant, { now: filed, provisioningTimeout })).toBe(at)
  expect(typesOf(timePassed(grant, { now: at, provisioningTimeout }))).toEqual([type])
})

test('what policy asks of its sessions is an event where it is something else than before', () => {
  const obligations = [{ kind: 'mask', name: 'pii', policies: ['a'] }] as const
  const now = after(started, minutes(1))
  const obliged = then(active, oblige(active, { now, obligations }))
  expect(obliged.obligations).toEqual(obligations)
  expect(typesOf(oblige(obliged, { now, obligations: [{ ...obligations[0], policies: ['b'] }] }))).toEqual([])
  expect(then(obliged, oblige(obliged, { now, obligations: [] })).obligations).toEqual([])
  for (const grant of [ending, ended])
    expect(typesOf(oblige(grant, { now, obligations }))).toEqual(['refused: grant-ended'])
})
