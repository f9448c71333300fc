/** Which roles of Tidegate itself someone has at this instant, and by what. */

import type { AdministrationAuth, Auth } from '@tidegate/api'
import { administrationAuth, isAdministrationAuth } from '@tidegate/api'
import type { AdministrationRole, GrantId, Instant, Principal, PrincipalRef } from '@tidegate/core'
import { administrationResource, isAdministrationRole, principalKey } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'

export type HeldRole =
  | {
      readonly role: AdministrationRole
      readonly by: 'grant'
      readonly grant: GrantId
      readonly until: Instant
    }
  /** Configuration names them, for what no grant can be had for. `first`: before there is any configuration. */
  | { readonly role: AdministrationRole; readonly by: 'standing' | 'first' }

type Asked = { readonly ref: PrincipalRef; readonly now: Instant }

/** By grants that live now, as `givesAccess` says of one. Only people administer: what acts for them, or beside them, does not. */
export async function grantedRoles(reader: Reader, { ref, now }: Asked): Promise<readonly HeldRole[]> {
  if (ref.kind !== 'user') return []
  const rows = await reader
    .selectFrom('accessGrant')
    .select(['id', 'role', 'expiresAt'])
    .where('principal', '=', principalKey(ref))
    .where('resource', '=', administrationResource)
    .where('state', '=', 'active')
    .where('expiresAt', '>', boundInstant(now))
    .execute()
  return rows.flatMap(({ id, role, expiresAt }) =>
    isAdministrationRole(role) && expiresAt !== null
      ? [{ role, by: 'grant', grant: id as GrantId, until: expiresAt }]
      : [],
  )
}

/** Without asking for them. */
export function standingRoles({ kind, groups }: Principal, { version, declared }: Snapshot): readonly HeldRole[] {
  if (kind !== 'user') return []
  const { administrators, auditors } = declared.settings
  const by = version === 0 ? 'first' : 'standing'
  return [
    ...(groups.includes(administrators) ? [{ role: 'owner', by } as const] : []),
    ...(auditors !== undefined && groups.includes(auditors) ? [{ role: 'auditor', by } as const] : []),
  ]
}

type Holder = { readonly administration: readonly HeldRole[] }

const fitting = ({ administration }: Holder, auth: AdministrationAuth): readonly HeldRole[] =>
  administration.filter(({ role }) => administrationAuth[auth].some((one) => one === role))

export const hasAuth = (holder: Holder, auth: AdministrationAuth): boolean => fitting(holder, auth).length > 0

/** The standing role without which they could not do what takes this; `undefined`: a grant gives it, or it takes none. */
export function standingBehind(holder: Holder, auth: Auth): AdministrationRole | undefined {
  if (!isAdministrationAuth(auth)) return undefined
  const held = fitting(holder, auth)
  return held.every(({ by }) => by === 'standing') ? held[0]?.role : undefined
}
