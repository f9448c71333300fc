/** Every way a grant ends before its time goes through here. */

import type { Decision, Grant, GrantEnd } from '@tidegate/core'
import { grantCommands } from '@tidegate/core'
import type { Unit } from '../store/change.ts'
import type { StoredGrant } from '../store/grants.ts'
import { findGrant, lockGrant } from '../store/grants.ts'
import { pendingExtensions } from '../store/requests.ts'
import { saveGrant, saveRequest } from './save.ts'

/**
 * Ends it, and says how it stands. What is ending or over stays as it is: its first end is the one that counts.
 * Read before it is locked, because whoever closes it holds the row for as long as the target takes.
 */
export async function endGrant(
  unit: Unit,
  { id, end, decision }: { id: string; end: GrantEnd; decision?: Decision },
): Promise<StoredGrant | undefined> {
  const seen = await findGrant(unit.tx, id)
  if (!seen || seen.state === 'ending' || seen.state === 'ended') return seen
  const grant = await lockGrant(unit.tx, id)
  if (!grant) return undefined
  const outcome = grantCommands.end(grant, end)
  if ('refused' in outcome) return grant
  const saved: Grant = await saveGrant(unit, grant, { events: outcome.events, decision })
  await expireExtensions(unit, saved)
  return { ...grant, ...saved }
}

/** Nobody is asked any more whether it may end later. What ends by its time has no extension pending beyond that. */
async function expireExtensions(unit: Unit, { id }: Grant): Promise<void> {
  for (const request of await pendingExtensions(unit.tx, id)) {
    await saveRequest(unit, request, { events: [{ type: 'request.expired', at: unit.now }] })
  }
}
