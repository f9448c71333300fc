/**
 * `reconciler/grant-step.ts` and `reconciler/tend.ts`, and the statements of a close, each of which may be the last
 * thing that its server does.
 */

import type { GrantEvent, Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'
import type { Rules, Transition } from './transition.ts'
import { failRequest } from './activation.ts'
import { clocksOf, replaceWork, save, withoutWork, withWork } from './transition.ts'
import type { Closing, SettingAside, Tending, World } from './world.ts'
import { lockIsFree, rowIsFree, ticks } from './world.ts'

/** The reconciler picks the row, because it is due by its clock and nobody holds it. */
export function step(world: World, rules: Rules): Transition[] {
  const { bounds } = rules
  if (world.work.length >= bounds.workers || !rowIsFree(world)) return []
  return clocksOf(world, bounds).flatMap((now) => stepAt(world, now, rules))
}

function stepAt(world: World, now: Instant, rules: Rules): Transition[] {
  const { protocol, bounds } = rules
  const { grant, dueAt } = world
  if (dueAt === undefined || dueAt > now) return []
  const clock = { now, provisioningTimeout: ticks(bounds.provisioningTimeout) }
  const outcome = protocol.commands.timePassed(grant, clock)
  if ('refused' in outcome) throw new Error('Time alone was refused.')
  const { events } = outcome
  const mayClose = !protocol.grantLock || lockIsFree(world)
  if (events.length > 0) {
    const label = `the reconciler finds it due: ${events.map(({ type }) => type).join(', ')}`
    const saved = failRequest(save(world, { events, now }, rules), now)
    // What ends by time alone is closed in the same transaction.
    const to = saved.grant.state === 'ending' && mayClose ? closing(world, { foundEnding: now }) : saved
    return [{ by: 'server', label, to, ...(to === saved && { events }) }]
  }
  if (grant.state === 'ending') {
    // Postponed for less than a tick: it is as due as before.
    if (!mayClose) return []
    return [{ by: 'server', label: 'the reconciler takes the row and the lock, to close', to: closing(world) }]
  }
  const again = protocol.commands.dueAt(grant, clock)
  // Otherwise it is postponed for less than a tick.
  if (again === undefined || again <= now) return []
  return [{ by: 'server', label: 'the reconciler postpones it', to: { ...world, dueAt: again } }]
}

const closing = (world: World, found: Pick<Closing, 'foundEnding'> = {}): World =>
  withWork(world, { task: 'close', by: 'reconciler', at: 'shut', ...found })

type Ended = { readonly world: World; readonly events: readonly GrantEvent[] }

/** What a close commits beside its own outcome. */
function withEnding(world: World, { foundEnding: now }: Closing, rules: Rules): Ended {
  if (now === undefined) return { world, events: [] }
  const clock = { now, provisioningTimeout: ticks(rules.bounds.provisioningTimeout) }
  const outcome = rules.protocol.commands.timePassed(world.grant, clock)
  if ('refused' in outcome) throw new Error('Time alone was refused.')
  const { events } = outcome
  return { world: failRequest(save(world, { events, now }, rules), now), events }
}

/** A fault of the server's own, or of the store: the row is put off, by whatever is committed meanwhile. */
export function setAside(world: World, work: SettingAside, { protocol }: Rules): Transition[] {
  const dies: Transition = { by: 'fault', label: 'the server that sets it aside dies', to: withoutWork(world, work) }
  if (!rowIsFree(world)) return [dies]
  const spared = protocol.setsAside === 'what is due' && world.dueAt === undefined
  const label = spared ? 'there is nothing to set aside any more' : 'it is set aside: due again a little later'
  const dueAt = spared ? undefined : instant(world.clock)
  return [{ by: 'server', label, to: { ...withoutWork(world, work), dueAt } }, dies]
}

/** A server begins to compare the target's logins with the live grants. */
export function tend(world: World, { protocol, bounds }: Rules): Transition[] {
  if (protocol.tendReadsFirst === 'nothing' || world.work.length >= bounds.workers) return []
  if (protocol.tendReadsFirst === 'store') {
    if (isKnown(world)) return []
    const to = withWork(world, { task: 'tend', at: 'store was read' })
    return [{ by: 'server', label: 'tend reads the store: no live grant', to }]
  }
  if (!world.login) return []
  const to = withWork(world, { task: 'tend', at: 'target was read' })
  return [{ by: 'server', label: 'tend reads the target: the login is there', to }]
}

const isKnown = ({ grant: { state } }: World): boolean =>
  state === 'provisioning' || state === 'active' || state === 'ending'

/** What looks like an orphan is looked at again under the grant's lock. */
export function compare(world: World, work: Tending, { protocol }: Rules): Transition[] {
  const seen = work.at === 'target was read' ? !isKnown(world) : world.login !== undefined
  const orphan = seen && (!protocol.tendLooksAgain || (lockIsFree(world) && !isKnown(world)))
  const by: Closing = { task: 'close', by: 'tend', at: 'shut' }
  return [
    orphan
      ? { by: 'server', label: 'tend finds an orphan', to: replaceWork(world, { work, by }) }
      : { by: 'server', label: 'tend finds nothing amiss', to: withoutWork(world, work) },
    { by: 'fault', label: 'the server that tends dies', to: withoutWork(world, work) },
  ]
}

/** What a close under way can do next, and what can become of it. */
export function close(world: World, work: Closing, rules: Rules): Transition[] {
  const { by, foundEnding } = work
  const common = { task: 'close', by, ...(foundEnding !== undefined && { foundEnding }) } as const
  const dies: Transition = { by: 'fault', label: `the server of the close (${by}) dies`, to: withoutWork(world, work) }
  if (work.at === 'record') return [...record(world, work, rules), ...losesStore(world, work), dies]
  const { label, effect, next } = statement(world, work, rules)
  const done: World = { ...world, ...effect }
  // What the reconciler has found is committed with a failure too.
  const { events } = withEnding(world, work, rules)
  const fails = (after: World) => ({ to: failed(after, work, rules), ...(events.length > 0 && { events }) })
  const goesOn: Transition =
    next === 'failed'
      ? { by: 'server', label, ...fails(done) }
      : { by: 'server', label, to: replaceWork(done, { work, by: { ...common, ...next } }) }
  const unreachable = 'the target cannot be reached by the close: failed, not done'
  const lost: Transition = { by: 'fault', label: `${label}; the answer is lost: failed`, ...fails(done) }
  const down: Transition = { by: 'fault', label: unreachable, ...fails(world) }
  return [goesOn, ...(effect ? [lost] : []), down, ...losesStore(world, work), dies]
}

/** Its transaction is rolled back, and its locks are gone, while it lives. */
const losesStore = (world: World, work: Closing): Transition[] =>
  work.by === 'tend'
    ? []
    : [
        {
          by: 'fault',
          label: 'the reconciler loses its connection to the store',
          to: replaceWork(world, { work, by: { task: 'set aside' } }),
        },
      ]

type Statement = {
  readonly label: string
  readonly effect?: Pick<World, 'login'> | Pick<World, 'session'>
  readonly next: At<Closing> | 'failed'
}

type At<C> = C extends Closing ? Omit<C, 'task' | 'by' | 'foundEnding'> : never

function statement({ login, session }: World, { at }: Closing, { protocol }: Rules): Statement {
  switch (at) {
    case 'shut':
      return login
        ? { label: 'the login is shut', effect: { login: { ...login, shut: true } }, next: { at: 'end sessions' } }
        : { label: 'there is no login to shut, and none is being made', next: { at: 'record', sawNothing: true } }
    case 'end sessions':
      return login
        ? { label: 'its sessions are ended', effect: { session: false }, next: { at: 'drop' } }
        : { label: 'the login was dropped by someone else', next: 'failed' }
    case 'drop':
      return {
        label: 'the login is dropped',
        effect: { login: undefined },
        next: protocol.readsBack ? { at: 'read back' } : { at: 'record', sawNothing: false },
      }
    case 'read back':
      return login || session
        ? { label: 'the target is read back: something is there', next: 'failed' }
        : { label: 'the target is read back: nothing is left', next: { at: 'record', sawNothing: true } }
    case 'record':
      throw new Error('What is recorded is not a statement to the target.')
  }
}

/** The failure is recorded and the locks are let go; from here on it is due again. */
function failed(world: World, work: Closing, rules: Rules): World {
  const {
    protocol: { forgetsAfter },
    bounds,
  } = rules
  const left = withoutWork(withEnding(world, work, rules).world, work)
  if (work.by === 'tend' || forgetsAfter === undefined) return left
  const closeFailures = world.closeFailures + 1
  return { ...left, closeFailures, dueAt: closeFailures >= forgetsAfter ? instant(bounds.horizon + 1) : left.dueAt }
}

function record(world: World, work: Closing, rules: Rules): Transition[] {
  if (work.by === 'tend') return [{ by: 'server', label: 'tend has closed the orphan', to: withoutWork(world, work) }]
  return clocksOf(world, rules.bounds).flatMap((now): Transition[] => {
    const ended = withEnding(world, work, rules)
    const outcome = rules.protocol.commands.closed(ended.world.grant, { now, sessionsEnded: 0 })
    if ('refused' in outcome) throw new Error('It was closed and could not be recorded so.')
    const events = [...ended.events, ...outcome.events]
    const saved = save(ended.world, { events: outcome.events, now }, rules)
    const label = 'it is recorded as closed'
    const unsure = replaceWork(saved, { work, by: { task: 'set aside' } })
    return [
      { by: 'server', label, to: withoutWork(saved, work), events },
      { by: 'fault', label: `${label}; the answer to the commit is lost`, to: unsure, events },
    ]
  })
}
