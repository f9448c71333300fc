/**
 * `reconciler/grant-step.ts` and `reconciler/tend.ts`, and the statements of a close, each of which may be the last
 * thing that its server does.
 */

import type { Instant } from '@tidegate/core'
import type { Rules, Transition } from './transition.ts'
import { clocksOf, replaceWork, save, withoutWork, withWork } from './transition.ts'
import type { Closing, Tending, World } from './world.ts'
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
  if (events.length > 0) {
    const label = `the reconciler finds it due: ${events.map(({ type }) => type).join(', ')}`
    return [{ by: 'server', label, to: save(world, { events, now }, rules), events }]
  }
  if (grant.state === 'ending') {
    // Postponed for less than a tick: it is as due as before.
    if (protocol.grantLock && !lockIsFree(world)) return []
    const to = withWork(world, { task: 'close', by: 'reconciler', at: 'shut' })
    return [{ by: 'server', label: 'the reconciler takes the row and the lock, to close', to }]
  }
  const again = protocol.commands.dueAt(grant, clock)
  if (again === dueAt) return []
  return [{ by: 'server', label: 'the reconciler postpones it', to: { ...world, dueAt: again } }]
}

/** A server begins to compare the target's logins with the live grants. It takes no lock on any of them. */
export function tend(world: World, { protocol, bounds }: Rules): Transition[] {
  if (world.work.length >= bounds.workers) return []
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

export function compare(world: World, work: Tending): Transition[] {
  const orphan = work.at === 'target was read' ? !isKnown(world) : world.login !== undefined
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
  const { by } = work
  const dies: Transition = { by: 'fault', label: `the server of the close (${by}) dies`, to: withoutWork(world, work) }
  if (work.at === 'record') return [...record(world, work, rules), dies]
  const { label, effect, next } = statement(world, work, rules)
  const done: World = { ...world, ...effect }
  const goesOn: Transition =
    next === 'failed'
      ? { by: 'server', label, to: failed(done, work, rules) }
      : { by: 'server', label, to: replaceWork(done, { work, by: { ...work, at: next } }) }
  const unreachable = 'the target cannot be reached by the close: failed, not done'
  const lost: Transition = { by: 'fault', label: `${label}; the answer is lost: failed`, to: failed(done, work, rules) }
  return [goesOn, ...(effect ? [lost] : []), { by: 'fault', label: unreachable, to: failed(world, work, rules) }, dies]
}

type Statement = {
  readonly label: string
  readonly effect?: Pick<World, 'login'> | Pick<World, 'session'>
  readonly next: Closing['at'] | 'failed'
}

function statement({ login, session }: World, { at }: Closing, { protocol }: Rules): Statement {
  switch (at) {
    case 'shut':
      return login
        ? { label: 'the login is shut', effect: { login: { ...login, shut: true } }, next: 'end sessions' }
        : { label: 'there is no login to shut, and none is being made', next: 'record' }
    case 'end sessions':
      return login
        ? { label: 'its sessions are ended', effect: { session: false }, next: 'drop' }
        : { label: 'the login was dropped by someone else', next: 'failed' }
    case 'drop':
      return { label: 'the login is dropped', effect: { login: undefined }, next: protocol.readsBack ? 'read back' : 'record' }
    case 'read back':
      return login || session
        ? { label: 'the target is read back: something is there', next: 'failed' }
        : { label: 'the target is read back: nothing is left', next: 'record' }
    case 'record':
      throw new Error('What is recorded is not a statement to the target.')
  }
}

/** The failure is recorded and the locks are let go; from here on it is due again. */
function failed(world: World, work: Closing, { protocol: { forgetsAfter } }: Rules): World {
  const left = withoutWork(world, work)
  if (work.by === 'tend' || forgetsAfter === undefined) return left
  const closeFailures = world.closeFailures + 1
  return { ...left, closeFailures, dueAt: closeFailures >= forgetsAfter ? undefined : left.dueAt }
}

function record(world: World, work: Closing, rules: Rules): Transition[] {
  if (work.by === 'tend') return [{ by: 'server', label: 'tend has closed the orphan', to: withoutWork(world, work) }]
  return clocksOf(world, rules.bounds).map((now) => {
    const outcome = rules.protocol.commands.closed(world.grant, { now, sessionsEnded: 0 })
    if ('refused' in outcome) throw new Error('It was closed and could not be recorded so.')
    const { events } = outcome
    const to = withoutWork(save(world, { events, now }, rules), work)
    return { by: 'server', label: 'it is recorded as closed', to, events }
  })
}
