/**
 * `lifecycle/extend-grant.ts` and `move-end.ts`: the store moves the end, and then whoever did tells the target, under
 * the grant's lock. What was not told is found by whoever tends the target.
 */

import type { Instant } from '@tidegate/core'
import type { Rules, Transition } from './transition.ts'
import { clocksOf, replaceWork, save, withoutWork, withWork } from './transition.ts'
import type { Telling, World } from './world.ts'
import { lockIsFree, rowIsFree, ticks } from './world.ts'

/** The holder asks, and policy permits. Once: what comes of two is what comes of one, later. */
export function extend(world: World, rules: Rules): Transition[] {
  const { bounds } = rules
  const { grant } = world
  if (!bounds.extends || grant.extension !== undefined || grant.expiresAt === undefined || !rowIsFree(world)) return []
  return clocksOf(world, bounds).flatMap((now) => extendAt(world, now, rules))
}

function extendAt(world: World, now: Instant, rules: Rules): Transition[] {
  const { commands, extendsFirst } = rules.protocol
  const duration = ticks(rules.bounds.duration)
  const outcome = commands.extend(world.grant, { now, request: 'req_2', duration })
  if ('refused' in outcome || outcome.events.length === 0) return []
  const { events } = outcome
  const saved = save(world, { events, now }, rules)
  const until = saved.grant.expiresAt ?? now
  const extended: Transition[] = [
    {
      by: 'fault',
      label: `it is extended to ${until}, and its server dies before it tells the target`,
      to: saved,
      events,
    },
  ]
  if (world.work.length < rules.bounds.workers) {
    const to = withWork(saved, { task: 'tell', at: 'begun' })
    extended.push({ by: 'person', label: `it is extended to ${until}`, to, events })
  }
  if (extendsFirst === 'store' || !lockIsFree(world)) return extended
  const label = `the target is told ${until}, and the server dies before the store is`
  return [{ by: 'fault', label, to: { ...world, ...told(world, until) } }, ...extended]
}

const told = ({ login }: World, until: number): Pick<World, 'login'> => ({ login: login && { ...login, until } })

/** Whoever tends finds a login that ends sooner than its grant. */
export function tendEnds(world: World, { protocol, bounds }: Rules): Transition[] {
  if (!bounds.extends || protocol.tendReadsFirst === 'nothing') return []
  const { grant, login, work } = world
  const sooner = login !== undefined && grant.state === 'active' && login.until < (grant.expiresAt ?? 0)
  const isTold = work.some(({ task }) => task === 'tell')
  if (!sooner || isTold || work.length >= bounds.workers) return []
  const to = withWork(world, { task: 'tell', at: 'begun' })
  return [{ by: 'server', label: 'tend finds a login that ends sooner than its grant', to }]
}

export function tell(world: World, work: Telling): Transition[] {
  const gone = withoutWork(world, work)
  const dies: Transition = { by: 'fault', label: 'the server that tells the target dies', to: gone }
  if (work.at === 'begun') {
    const { state, expiresAt } = world.grant
    if (!lockIsFree(world) || state !== 'active' || expiresAt === undefined)
      return [{ by: 'server', label: 'there is nothing to tell the target, or someone else is at it', to: gone }, dies]
    const to = replaceWork(world, { work, by: { task: 'tell', at: 'sent', until: expiresAt } })
    return [{ by: 'server', label: `the lock is taken, and ${expiresAt} is sent to the target`, to }, dies]
  }
  const done = { ...gone, ...told(world, work.until) }
  return [
    { by: 'server', label: `the target has the end ${work.until}`, to: done },
    { by: 'fault', label: 'the target cannot be reached to be told', to: gone },
    dies,
  ]
}
