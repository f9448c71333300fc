/** A resource may come to point to another target while grants of it are open on the one before. */

import type { Configurations } from '../configuration/configurations.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'

/**
 * What was opened for the grant, or may have been, is on another target than its resource has now. It can only end:
 * opened on the new target, nobody would know any more where the old login is.
 */
export async function hasMoved(
  configurations: Configurations,
  reader: Reader,
  { grant, snapshot }: { grant: StoredGrant; snapshot: Snapshot },
): Promise<boolean> {
  if (grant.configuration === undefined || grant.unsureAttempts === 0) return false
  const before = (await configurations.at(reader, grant.configuration)).resources.get(grant.resource)
  return before !== undefined && before.targetKey !== snapshot.resources.get(grant.resource)?.targetKey
}
