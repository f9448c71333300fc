/** Who could administer Tidegate, and how many it takes. */

import type { Instant, PrincipalRef } from '@tidegate/core'
import { principalKey } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import type { FindPrincipals } from './principals.ts'
import { firstAdministrator, isAdministrator } from './principals.ts'
import { firstTokenWorks } from './tokens.ts'

/** Four eyes take two people who can act, or no change could ever be approved. */
export const administratorsNeeded = ({ declared }: Snapshot): number => (declared.settings.fourEyes ? 2 : 1)

type Under = { readonly after: Snapshot; readonly now: Instant; readonly findPrincipals: FindPrincipals }

/**
 * Ids of the users who could administer under this configuration at this instant, by their tokens or their accounts
 * here: whether a provider answers tomorrow is not known here.
 */
export async function workingAdministrators(
  reader: Reader,
  { after, now, findPrincipals }: Under,
): Promise<Set<string>> {
  const holders = [...after.tokens.values()].filter(({ expires }) => expires > now).map(({ principal }) => principal)
  if (await firstTokenWorks(reader, after, now)) holders.push(firstAdministrator)
  if (after.declared.identity.local) holders.push(...(await accountHolders(reader)))
  const principals = await findPrincipals(reader, { snapshot: after, refs: holders, now })
  const working = holders.flatMap((holder) => principals.get(principalKey(holder)) ?? [])
  return new Set(working.filter((principal) => isAdministrator(principal, after)).map(({ id }) => id))
}

async function accountHolders(reader: Reader): Promise<PrincipalRef[]> {
  const rows = await reader.selectFrom('localAccount').select('userId').execute()
  return rows.map(({ userId }) => ({ kind: 'user', id: userId }))
}
