/**
 * A grant that is open ends later.
 *
 * The store says so first, and only then the target is told: whatever dies in between, the target ends it sooner than
 * it may, and never later. What has not been told is found by whoever tends the target.
 */

import type { AccessRequest, Decision } from '@tidegate/core'
import { grantCommands } from '@tidegate/core'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Tx } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'
import { findExtended, findGrant, lockGrant } from '../store/grants.ts'
import { tryGrantLock } from '../targets/grant-lock.ts'
import { scheduleTendingSoon } from '../targets/schedule-tending.ts'
import type { Activation } from './activate-grant.ts'
import { beyondObliging, isBeyondObliging, obligingEvents } from './obliged.ts'
import { saveGrant } from './save.ts'

/**
 * The grant that the request would extend, locked before its request as by whoever ends it. What is over is not waited
 * for; `undefined`: the request asks for a grant of its own.
 */
export async function lockExtended({ tx, now }: Unit, request: string): Promise<StoredGrant | undefined> {
  const seen = await findExtended(tx, request)
  return seen && grantCommands.givesAccess(seen, now) ? lockGrant(tx, seen.id) : seen
}

type Approved = { readonly request: AccessRequest; readonly decision: Decision }

/** Moves the end of a grant that is locked. One that lasts longer by another request already stays as it is. */
export async function moveEnd(unit: Unit, grant: StoredGrant, { request, decision }: Approved): Promise<StoredGrant> {
  const { id, duration } = request
  const { now } = unit
  const outcome = grantCommands.extend(grant, { now, request: id, duration })
  if ('refused' in outcome) throw new Error(`Grant ${grant.id} was to be extended, and is not open.`)
  if (isBeyondObliging(grant, decision)) throw beyondObliging(decision)
  const events = outcome.events.length > 0 ? [...outcome.events, ...obligingEvents(grant, { now, decision })] : []
  return { ...grant, ...(await saveGrant(unit, grant, { events, decision })) }
}

/**
 * Tells the target when the grant ends now. Under the grant's lock, like all that is done at the target for it; what
 * has to wait or fails is left to whoever tends the target.
 *
 * @returns whether the target knows
 */
export async function tellTarget(deps: Activation, id: string): Promise<boolean> {
  return change({ ...deps, db: deps.workDb }, async (unit) => {
    const { tx } = unit
    const [locked, grant] = await Promise.all([tryGrantLock(tx, id), findGrant(tx, id)])
    if (!grant || !grantCommands.givesAccess(grant, unit.now)) return false
    const told = locked && (await tellEnd(deps, tx, grant))
    // It may have been moved again while the target was at work.
    const knows = told && (await findGrant(tx, id))?.expiresAt === grant.expiresAt
    if (!knows) await scheduleTendingSoon(unit, grant.resource)
    return knows
  })
}

async function tellEnd(
  { configurations, targets }: Activation,
  tx: Tx,
  { id, resource, expiresAt }: StoredGrant,
): Promise<boolean> {
  const entry = (await configurations.current(tx)).resources.get(resource)
  if (!entry || expiresAt === undefined) return false
  const outcome = await targets
    .connector(entry)
    .moveEnd({ grant: id, expiresAt })
    .catch(() => undefined)
  return outcome?.outcome === 'moved'
}
