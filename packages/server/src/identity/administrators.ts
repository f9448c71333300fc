/** Who could administer Tidegate, and how many it takes. */

import type { Instant } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import { findPrincipal, firstAdministrator, firstTokenWorks, isAdministrator } from './tokens.ts'

/** Four eyes take two people who can act, or no change could ever be approved. */
export const administratorsNeeded = ({ declared }: Snapshot): number => (declared.settings.fourEyes ? 2 : 1)

/** Ids of the users who could administer under this configuration at this instant. */
export async function workingAdministrators(reader: Reader, after: Snapshot, now: Instant): Promise<Set<string>> {
  const ids = new Set<string>()
  for (const { principal, expires } of after.tokens.values()) {
    const holder = findPrincipal(after, principal)
    if (expires > now && holder && isAdministrator(holder, after)) ids.add(holder.id)
  }
  const first = findPrincipal(after, firstAdministrator)
  if (first && isAdministrator(first, after) && (await firstTokenWorks(reader, after, now))) ids.add(first.id)
  return ids
}
