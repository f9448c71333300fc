/** Someone is gone: everything that is open for them, and for who acts for them, ends in the transaction that says so. */

import type { Snapshot } from '../../configuration/snapshot.ts'
import { endGrant } from '../../lifecycle/end-grant.ts'
import type { Unit } from '../../store/change.ts'
import { openGrantPages } from '../../store/grants.ts'
import { actingFor } from '../principals.ts'

const pageSize = 500

/** Logins end with `putUser` and `removeUser`. */
export async function endAccess(
  unit: Unit,
  snapshot: Snapshot,
  { user, note }: { user: string; note: string },
): Promise<void> {
  const principals = actingFor(snapshot, `user:${user}`)
  const end = { reason: 'fact-changed', at: unit.now, note } as const
  for await (const grants of openGrantPages(unit.tx, { principals }, pageSize))
    await Promise.all(grants.map(({ id }) => endGrant(unit, { id, end })))
}
