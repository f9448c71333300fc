/**
 * `lifecycle/activate-grant.ts`, in the pieces between which something else can happen: the first transaction; the lock;
 * the statement on its way and its answer; the second transaction's end; the answer on its way to the holder.
 */

import { evolveRequest, requestCommands } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import type { Rules, Transition } from './transition.ts'
import { clocksOf, replaceWork, save, withoutWork, withWork } from './transition.ts'
import type { LateCause, Lease, Login, Opening, World } from './world.ts'
import { lockIsFree, rowIsFree, ticks } from './world.ts'

/**
 * The holder asks for a credential: asked again, and the intent committed. Refused while someone is at the target for
 * this grant, because a new attempt would only make that one's result stale.
 */
export function begin(world: World, rules: Rules): Transition[] {
  const { protocol, bounds } = rules
  const { grant } = world
  if (grant.attempt >= bounds.attempts || world.work.length >= bounds.workers || !rowIsFree(world)) return []
  if (protocol.grantLock && grant.state !== 'ready' && !lockIsFree(world)) return []
  const lengths = grant.state === 'active' ? [bounds.duration] : [bounds.duration, bounds.lessDuration]
  const transitions: Transition[] = []
  for (const now of clocksOf(world, bounds)) {
    for (const allowed of lengths.filter((length) => length === bounds.duration || length < grant.duration)) {
      const outcome = protocol.commands.activate(grant, { now, allowed: ticks(allowed) })
      if ('refused' in outcome) continue
      const saved = save(world, { events: outcome.events, now }, rules)
      const { attempt, expiresAt } = saved.grant
      if (expiresAt === undefined) throw new Error('A grant is being opened without an end.')
      const to = withWork(saved, { task: 'open', at: 'begun', attempt, until: expiresAt })
      const label = `the holder activates: attempt ${attempt} is committed, to end at ${expiresAt}`
      transitions.push({ by: 'person', label, to, events: outcome.events })
    }
  }
  return transitions
}

/** What an opening under way can do next, and what can become of it. */
export function open(world: World, work: Opening, rules: Rules): Transition[] {
  switch (work.at) {
    case 'begun':
      return [...takeLock(world, work, rules), ...crowd(world, work, rules), crash(world, work)]
    case 'sent':
      return atTarget(world, work)
    case 'answered':
      return [
        ...clocksOf(world, rules.bounds).flatMap((now) => finish(world, { work, now }, rules)),
        crash(world, work),
      ]
    case 'handing':
      return [handOver(world, work), crash(world, work)]
  }
}

const name = ({ attempt }: Lease): string => `attempt ${attempt}`

function takeLock(world: World, work: Opening, { protocol, bounds }: Rules): Transition[] {
  const { attempt, until } = work
  if (protocol.grantLock && !lockIsFree(world))
    return [{ by: 'server', label: `${name(work)} finds the lock taken: grant-busy`, to: withoutWork(world, work) }]
  const sent = replaceWork(world, { work, by: { task: 'open', at: 'sent', attempt, until } })
  return clocksOf(world, bounds).map((now) =>
    protocol.looksAgain && 'refused' in protocol.commands.opened(world.grant, { now, attempt })
      ? { by: 'server', label: `${name(work)} looks again and sends nothing`, to: withoutWork(world, work) }
      : { by: 'server', label: `${name(work)} takes the lock and sends the open to the target`, to: sent },
  )
}

/** It waits for its turn at a crowded target in vain: nothing is sent, and that is recorded without the lock. */
function crowd(world: World, work: Opening, rules: Rules): Transition[] {
  if (!rowIsFree(world)) return []
  return clocksOf(world, rules.bounds).map((now) => {
    const recorded = recordFailure(world, { work: { ...work, at: 'answered', answer: 'not done' }, now }, rules)
    const to = withoutWork(recorded.to, work)
    return { ...recorded, by: 'fault', label: `${name(work)} gets no turn at a crowded target; ${recorded.label}`, to }
  })
}

function atTarget(world: World, work: Opening): Transition[] {
  const { attempt, until } = work
  const answered = (answer: 'opened' | 'not done' | 'unsure', from: World): World =>
    replaceWork(from, { work, by: { task: 'open', at: 'answered', attempt, until, answer } })
  const landed = land(world, work, lateCause(world, work))
  const flying = { ...world, inFlight: inOrder([...world.inFlight, { attempt, until }]) }
  const [a, gone] = [name(work), 'the connection is lost']
  return [
    { by: 'server', label: `the target makes the login of ${a} and answers`, to: answered('opened', landed) },
    {
      by: 'fault',
      label: `the target makes the login of ${a}; the answer is lost: failed, not known whether done`,
      to: answered('unsure', landed),
    },
    { by: 'fault', label: `the target cannot be reached for ${a}: failed, not done`, to: answered('not done', world) },
    { by: 'fault', label: `${gone} and the open of ${a} with it: failed, unknown`, to: answered('unsure', world) },
    {
      by: 'fault',
      label: `${gone}, the open of ${a} is still under way: failed, unknown`,
      to: answered('unsure', flying),
    },
    { by: 'fault', label: `the server of ${a} dies, its open is still under way`, to: withoutWork(flying, work) },
    crash(world, work),
  ]
}

const inOrder = (leases: Lease[]): Lease[] => leases.toSorted((one, other) => one.attempt - other.attempt)

/** Crashes, or loses its connection to the store: its locks are gone, and what it did not commit never was. */
const crash = (world: World, work: Opening): Transition => ({
  by: 'fault',
  label: `the server of ${name(work)} dies`,
  to: withoutWork(world, work),
})

/** The target does what `open` says: a login, or a new secret and expiry for the one that is there. */
export function land(world: World, { attempt, until }: Lease, cause: LateCause): World {
  const read = world.work.some((work) => work.task === 'close' && work.at === 'record' && work.sawNothing)
  const late = read || world.grant.state === 'ended' ? { late: cause } : {}
  const login: Login = { secret: attempt, until, shut: false, ...late }
  return { ...world, login }
}

const lateCause = (world: World, work: Opening): LateCause =>
  world.work.some((other) => other !== work && (other.task === 'close' ? other.by === 'reconciler' : false))
    ? 'opener without lock'
    : 'opener slow'

type Finishing = { readonly work: Opening & { readonly at: 'answered' }; readonly now: Instant }

/** The rest of the second transaction, from the row's lock to the commit, which lets go of the grant's lock. */
function finish(world: World, { work, now }: Finishing, rules: Rules): Transition[] {
  if (!rowIsFree(world)) return []
  return [
    work.answer === 'opened' ? recordOpened(world, { work, now }, rules) : recordFailure(world, { work, now }, rules),
  ]
}

function recordOpened(world: World, { work, now }: Finishing, rules: Rules): Transition {
  const { attempt, until } = work
  const outcome = rules.protocol.commands.opened(world.grant, { now, attempt })
  const deed = { is: 'result', attempt, now } as const
  if ('refused' in outcome) {
    const label = `${name(work)} is refused its result: ${outcome.refused}`
    return { by: 'server', label, to: withoutWork(world, work), deed: { ...deed, handsOut: false } }
  }
  const saved = save(world, { events: outcome.events, now }, rules)
  const to = replaceWork(saved, { work, by: { task: 'open', at: 'handing', attempt, until } })
  const label = `${name(work)} is recorded as opened, and its credential is on its way to the holder`
  return { by: 'server', label, to, events: outcome.events, deed: { ...deed, handsOut: true } }
}

function recordFailure(world: World, { work, now }: Finishing, rules: Rules): Transition {
  const { attempt } = work
  const leftNothing = work.answer === 'not done'
  const failure = { now, attempt, cause: 'unreachable', leftNothing, giveUp: !world.waits }
  const outcome = rules.protocol.commands.openFailed(world.grant, failure)
  const events = 'refused' in outcome ? [] : outcome.events
  const to = failRequest(withoutWork(save(world, { events, now }, rules), work), now)
  const label = `the failure of ${name(work)} is ${'refused' in outcome ? `refused: ${outcome.refused}` : 'recorded'}`
  return { by: 'server', label, to, events, deed: { is: 'result', attempt, now, handsOut: false } }
}

/** The request of a grant that could not be opened says so too. */
export function failRequest(world: World, now: Instant): World {
  if (world.grant.end?.reason !== 'open-failed') return world
  const outcome = requestCommands.fail(world.request, { now, note: 'unreachable' })
  return 'refused' in outcome ? world : { ...world, request: outcome.events.reduce(evolveRequest, world.request) }
}

const handOver = (world: World, work: Opening): Transition => ({
  by: 'server',
  label: `the holder receives the credential of ${name(work)}`,
  to: { ...withoutWork(world, work), known: [...world.known, work.attempt].toSorted() },
})
