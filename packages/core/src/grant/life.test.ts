/** Whatever is done to a grant, in whatever order, by clocks that do not agree. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { after, hours, instant, minutes, seconds } from '../time.ts'
import type { Instant, Millis } from '../time.ts'
import type { GrantOutcome } from './commands.ts'
import {
  activate,
  closed,
  dueAt,
  end,
  extend,
  givesAccess,
  openFailed,
  opened,
  shorten,
  timePassed,
} from './commands.ts'
import type { Grant, GrantEvent } from './grant.ts'
import { evolveGrant } from './grant.ts'
import type { EndReason } from './transitions.ts'
import { endReasons, grantMayGo } from './transitions.ts'

const start = instant(Date.UTC(2026, 0, 5, 9))
const provisioningTimeout = seconds(30)

const fresh: Grant = {
  id: 'grt_1',
  request: 'req_1',
  principal: { kind: 'user', id: 'alice' },
  resource: 'orders-db',
  role: 'readonly',
  state: 'ready',
  duration: minutes(10),
  activateBy: after(start, hours(2)),
  attempt: 0,
  unsureAttempts: 0,
  obligations: [],
}

const first: fc.Arbitrary<Grant> = fc.constantFrom(fresh, {
  ...fresh,
  state: 'scheduled' as const,
  startAt: after(start, minutes(5)),
})

type Step = {
  readonly do: 'activate' | 'opened' | 'openFailed' | 'end' | 'closed' | 'shorten' | 'extend' | 'timePassed'
  /** How far this clock is from the one before. */
  readonly passes: number
  readonly allowed: Millis
  readonly attempt: number
  readonly leftNothing: boolean
  readonly giveUp: boolean
  readonly reason: EndReason
}

const reasons = Object.keys(endReasons) as EndReason[]
const length = fc.integer({ min: 1, max: minutes(15) }) as unknown as fc.Arbitrary<Millis>

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('activate' as const, 'opened' as const, 'timePassed' as const) },
    { weight: 2, arbitrary: fc.constantFrom('openFailed' as const, 'shorten' as const, 'extend' as const) },
    { weight: 1, arbitrary: fc.constantFrom('end' as const, 'closed' as const) },
  ),
  passes: fc.oneof(
    fc.integer({ min: 0, max: seconds(20) }),
    fc.integer({ min: 0, max: minutes(20) }),
    // The next process's clock is behind.
    fc.integer({ min: -5_000, max: 0 }),
  ),
  allowed: length,
  attempt: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
  leftNothing: fc.boolean(),
  giveUp: fc.boolean(),
  reason: fc.constantFrom(...reasons),
})

/** The grant, and what only its target knows. */
type World = { grant: Grant; now: Instant; unreported: Set<number>; mayHaveLeft: Set<number> }

function run(world: World, one: Step): GrantOutcome | undefined {
  const { grant, now } = world
  switch (one.do) {
    case 'activate':
      return activate(grant, { now, allowed: one.allowed })
    case 'opened':
    case 'openFailed': {
      // Each attempt has one result, which may come late or not at all.
      const attempt = [...world.unreported].at(-1 - one.attempt)
      if (attempt === undefined) return undefined
      world.unreported.delete(attempt)
      if (one.do === 'opened') return opened(grant, { now, attempt })
      const { leftNothing, giveUp } = one
      if (leftNothing) world.mayHaveLeft.delete(attempt)
      return openFailed(grant, { now, attempt, cause: 'unreachable', leftNothing, giveUp })
    }
    case 'end':
      return end(grant, { reason: one.reason, at: now })
    case 'closed':
      return closed(grant, { now, sessionsEnded: 0 })
    case 'shorten':
      return shorten(grant, { now, allowed: one.allowed })
    case 'extend':
      return extend(grant, { now, request: 'req_2', duration: one.allowed })
    case 'timePassed':
      return timePassed(grant, { now, provisioningTimeout })
  }
}

function live(grant: Grant, steps: readonly Step[], watch: (change: Change) => void): World {
  const world: World = { grant, now: start, unreported: new Set(), mayHaveLeft: new Set() }
  for (const one of steps) {
    world.now = instant(world.now + one.passes)
    const outcome = run(world, one)
    if (outcome === undefined || 'refused' in outcome) continue
    for (const event of outcome.events) {
      const before = world.grant
      world.grant = evolveGrant(before, event)
      if (world.grant.attempt > before.attempt) {
        world.unreported.add(world.grant.attempt)
        world.mayHaveLeft.add(world.grant.attempt)
      }
      if (event.type === 'grant.ended' && event.closed) world.mayHaveLeft.clear()
      watch({ before, event, after: world.grant, world })
    }
  }
  return world
}

type Change = { before: Grant; event: GrantEvent; after: Grant; world: World }

const always = (property: (change: Change) => void): void =>
  fc.assert(
    fc.property(first, fc.array(step, { maxLength: 40 }), (grant, steps) => {
      live(grant, steps, property)
    }),
    { numRuns: 2_000 },
  )

test('no event makes a transition that the table does not have', () => {
  always(({ before, after }) => {
    expect(before.state === after.state || grantMayGo(before.state, after.state)).toBe(true)
  })
})

test('a clock that runs has an end after its start, and one that does not run has neither', () => {
  always(({ after: { state, activatedAt, expiresAt, duration } }) => {
    expect(duration).toBeGreaterThan(0)
    if (state === 'scheduled' || state === 'ready') expect([activatedAt, expiresAt]).toEqual([undefined, undefined])
    if (state === 'provisioning' || state === 'active') expect(activatedAt).toBeDefined()
    if (activatedAt !== undefined) expect(expiresAt).toBeGreaterThan(activatedAt)
  })
})

test('the end of an active grant moves away by an extension alone, and no grant lasts longer than was asked for', () => {
  always(({ before, event, after: { expiresAt, activatedAt, extension, duration } }) => {
    if (before.state === 'active' && event.type !== 'grant.extended')
      expect(expiresAt).toBeLessThanOrEqual(before.expiresAt!)
    if (event.type === 'grant.extended') expect(expiresAt).toBeGreaterThan(before.expiresAt!)
    if (extension === undefined) expect(duration).toBeLessThanOrEqual(fresh.duration)
    if (expiresAt !== undefined) expect(expiresAt - (extension?.at ?? activatedAt!)).toBeLessThanOrEqual(duration)
  })
})

test('what is extended was active, and stays so', () => {
  always(({ before, event, after }) => {
    if (event.type === 'grant.extended') expect([before.state, after.state]).toEqual(['active', 'active'])
    else expect(after.extension).toBe(before.extension)
  })
})

test('what is ending or over gives no access again, and keeps its first end', () => {
  always(({ before, after, world }) => {
    if (before.state !== 'ending' && before.state !== 'ended') return
    expect(givesAccess(after, world.now)).toBe(false)
    expect(after.end).toEqual(before.end)
  })
})

test('the count of unsure attempts is never negative, and is zero before anything was opened', () => {
  always(({ after }) => {
    expect(after.unsureAttempts).toBeGreaterThanOrEqual(0)
    if (after.state === 'scheduled' || after.state === 'ready') expect(after.unsureAttempts).toBe(0)
  })
})

test('a grant goes back to ready, or over, only when no attempt can have left something on the target', () => {
  always(({ after, world }) => {
    if (after.state === 'ready' || after.state === 'ended') expect([...world.mayHaveLeft]).toEqual([])
  })
})

test('what is over says why and since when, and nothing else does', () => {
  always(({ after }) => {
    expect(after.end !== undefined).toBe(after.state === 'ending' || after.state === 'ended')
    expect(after.endedAt !== undefined).toBe(after.state === 'ended')
  })
})

test('from the instant a grant is due time asks something of it, and never before', () => {
  const lookAt = fc.integer({ min: 0, max: hours(4) }).map((ms) => after(start, ms as Millis))
  fc.assert(
    fc.property(first, fc.array(step, { maxLength: 20 }), lookAt, (grant, steps, later) => {
      const world = live(grant, steps, () => {})
      const due = dueAt(world.grant, { now: later, provisioningTimeout })
      for (const now of [later, ...(due === undefined ? [] : [instant(due - 1), due, instant(due + 1)])]) {
        const outcome = timePassed(world.grant, { now, provisioningTimeout })
        const asks = 'events' in outcome && outcome.events.length + outcome.effects.length > 0
        expect(asks).toBe(world.grant.state === 'ending' || (due !== undefined && now >= due))
      }
    }),
    { numRuns: 2_000 },
  )
})

test('time alone brings every grant to its end', () => {
  fc.assert(
    fc.property(first, fc.array(step, { maxLength: 20 }), (grant, steps) => {
      const { grant: left, now } = live(grant, steps, () => {})
      let at = left
      let clock = now
      for (let looks = 0; at.state !== 'ended'; looks++) {
        expect(looks).toBeLessThan(5)
        clock = instant(Math.max(clock, dueAt(at, { now: clock, provisioningTimeout })!))
        const outcome = timePassed(at, { now: clock, provisioningTimeout })
        const asked = 'events' in outcome ? outcome : { events: [], effects: [] }
        const done = asked.effects.includes('close') && at.state === 'ending'
        const next = done ? closed(at, { now: clock, sessionsEnded: 0 }) : asked
        at = ('events' in next ? next.events : []).reduce(evolveGrant, at)
      }
    }),
  )
})
