/** One thing that happens. */

import type { Grant, GrantEvent, Instant } from '@tidegate/core'
import { evolveGrant } from '@tidegate/core'
import type { Protocol } from './protocol.ts'
import type { Bounds, Work, World } from './world.ts'
import { ticks } from './world.ts'

/**
 * Who makes it happen. `server`: a server that works, or time, or a statement under way: what is left when faults stop
 * and people go home. `fault`: something breaks. `person`: the holder, an administrator, a policy.
 */
export type By = 'server' | 'fault' | 'person'

export type Transition = {
  readonly by: By
  readonly label: string
  readonly to: World
  /** What was saved with it: the row goes through more states than the two worlds show. */
  readonly events?: readonly GrantEvent[]
  /** What else the invariants want to know of it. */
  readonly deed?: Deed
}

export type Deed =
  /** The result of an attempt was recorded, or refused. `now`: by the clock of the server that did. */
  | { readonly is: 'result'; readonly attempt: number; readonly now: Instant; readonly handsOut: boolean }
  | { readonly is: 'login' }

export type Rules = { readonly protocol: Protocol; readonly bounds: Bounds }

export const withoutWork = (world: World, work: Work): World => ({
  ...world,
  work: world.work.filter((one) => one !== work),
})

export const withWork = (world: World, work: Work): World => ({ ...world, work: [...world.work, work] })

export const replaceWork = (world: World, { work, by }: { work: Work; by: Work }): World => ({
  ...world,
  work: world.work.map((one) => (one === work ? by : one)),
})

/** What a server may read from its clock. */
export const clocksOf = ({ clock }: World, { serverLag }: Bounds): Instant[] =>
  (serverLag === 0 ? [clock] : [clock, clock - serverLag]) as Instant[]

/** `saveGrant` of the server: events evolve the row, and it is due when core says. */
export function save(
  world: World,
  { events, now }: { events: readonly GrantEvent[]; now: Instant },
  { protocol, bounds }: Rules,
): World {
  if (events.length === 0) return world
  const grant: Grant = events.reduce(evolveGrant, world.grant)
  const dueAt = protocol.commands.dueAt(grant, { now, provisioningTimeout: ticks(bounds.provisioningTimeout) })
  return { ...world, grant, dueAt }
}
