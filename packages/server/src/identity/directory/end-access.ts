/** Someone is gone: everything that is open for them, and for who acts for them, ends in the transaction that says so. */

import type { Snapshot } from '../../configuration/snapshot.ts'
import { endGrants } from '../../lifecycle/end-grants.ts'
import type { Unit } from '../../store/change.ts'
import { actingFor } from '../principals.ts'

/** Logins end with `putUser` and `removeUser`. */
export async function endAccess(
  unit: Unit,
  snapshot: Snapshot,
  { user, note }: { user: string; note: string },
): Promise<void> {
  const principals = actingFor(snapshot, `user:${user}`)
  await endGrants(unit, { principals }, { reason: 'fact-changed', note })
}
