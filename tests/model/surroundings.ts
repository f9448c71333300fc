/** What servers do not do: time, statements of the lost, the holder, an administrator, a policy that gives less. */

import { close, compare, setAside, step, tend } from './closing.ts'
import { begin, land, open } from './activation.ts'
import { extend, tell, tendEnds } from './extending.ts'
import type { Rules, Transition } from './transition.ts'
import { clocksOf, save } from './transition.ts'
import type { World } from './world.ts'
import { rowIsFree, ticks, usable } from './world.ts'

/** Everything that may happen next. */
export function next(world: World, rules: Rules): Transition[] {
  const transitions = [
    ...passTime(world, rules),
    ...arrive(world),
    ...begin(world, rules),
    ...step(world, rules),
    ...tend(world, rules),
    ...logIn(world),
    ...revoke(world, rules),
    ...shorten(world, rules),
    ...extend(world, rules),
    ...tendEnds(world, rules),
  ]
  for (const work of world.work) {
    if (work.task === 'open') transitions.push(...open(world, work, rules))
    else if (work.task === 'close') transitions.push(...close(world, work, rules))
    else if (work.task === 'tell') transitions.push(...tell(world, work))
    else if (work.task === 'tend') transitions.push(...compare(world, work, rules))
    else transitions.push(...setAside(world, work, rules))
  }
  return transitions
}

const passTime = (world: World, { bounds }: Rules): Transition[] =>
  world.clock < bounds.horizon ? [{ by: 'server', label: 'time passes', to: { ...world, clock: world.clock + 1 } }] : []

/** Not a fault any more: that was when the server was lost. One way or the other it ends. */
const arrive = (world: World): Transition[] =>
  world.inFlight.flatMap((lease): Transition[] => {
    const rest = { ...world, inFlight: world.inFlight.filter((one) => one !== lease) }
    return [
      {
        by: 'server',
        label: `the open of attempt ${lease.attempt}, which nobody waits for, arrives and is done`,
        to: land(rest, lease, 'opener lost'),
      },
      { by: 'server', label: `the open of attempt ${lease.attempt} never arrives`, to: rest },
    ]
  })

const logIn = (world: World): Transition[] =>
  usable(world) && !world.session
    ? [{ by: 'person', label: 'the holder logs in', to: { ...world, session: true }, deed: { is: 'login' } }]
    : []

function revoke(world: World, rules: Rules): Transition[] {
  if (!rowIsFree(world)) return []
  const { state } = world.grant
  if (state === 'ending' || state === 'ended') return []
  // Whose clock says when it ended is of no consequence: nothing is compared with it.
  const [now] = clocksOf(world, rules.bounds)
  if (now === undefined) return []
  const outcome = rules.protocol.commands.end(world.grant, { reason: 'revoked', at: now })
  if ('refused' in outcome) return []
  const { events } = outcome
  return [{ by: 'person', label: 'it is revoked', to: save(world, { events, now }, rules), events }]
}

/** `reassess`, when policy gives less than it did. */
function shorten(world: World, rules: Rules): Transition[] {
  if (!rowIsFree(world)) return []
  const [now] = clocksOf(world, rules.bounds)
  if (now === undefined) return []
  const allowed = ticks(rules.bounds.lessDuration)
  const outcome = rules.protocol.commands.shorten(world.grant, { now, allowed })
  if ('refused' in outcome || outcome.events.length === 0) return []
  const { events } = outcome
  return [
    { by: 'person', label: 'policy gives less: it is shortened', to: save(world, { events, now }, rules), events },
  ]
}
