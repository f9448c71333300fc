/** Who may answer about a statement, and who may know of it. */

import type { Eligibility, Instant, Principal } from '@tidegate/core'
import { eligibility, parsePrincipalKey } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import type { Lifecycle } from '../lifecycle/context.ts'
import type { Reader } from '../store/database.ts'
import type { StatementRow } from '../store/statements.ts'

export type Holders = ReadonlyMap<string, Principal>

export type Standing = {
  readonly snapshot: Snapshot
  /** Whose statements they are. */
  readonly holders: Holders
  readonly caller: Caller
  readonly row: Pick<StatementRow, 'principal' | 'resource' | 'approvers'>
}

/** As for requests, by what groups are now; one person, who is in one group of each list. */
export function mayAnswer({ snapshot, holders, caller, row }: Standing): Eligibility {
  const requester = holders.get(row.principal)
  const resource = snapshot.resources.get(row.resource)?.resource
  // Who it is for is not known any more, and neither is who stands behind them.
  if (!requester || !resource) return { eligible: false, why: 'not-an-approver' }
  const found = approversOf(row).map((open) => eligibility({ requester, approver: caller.principal, resource, open }))
  const refused = found.find((one) => !one.eligible)
  if (refused) return refused
  const as = new Set(found.flatMap((one) => (one.eligible ? one.as : [])))
  return as.size > 0 ? { eligible: true, as: [...as] } : { eligible: false, why: 'not-an-approver' }
}

export const approversOf = ({ approvers }: Pick<StatementRow, 'approvers'>): readonly (readonly string[])[] =>
  approvers as readonly (readonly string[])[]

export const isHolder = (principal: Principal, { principal: holder }: Pick<StatementRow, 'principal'>): boolean =>
  `${principal.kind}:${principal.id}` === holder

type Of = {
  readonly snapshot: Snapshot
  readonly rows: readonly Pick<StatementRow, 'principal'>[]
  readonly now: Instant
}

export const holdersOf = (
  { findPrincipals }: Pick<Lifecycle, 'findPrincipals'>,
  reader: Reader,
  { snapshot, rows, now }: Of,
): Promise<Holders> =>
  findPrincipals(reader, { snapshot, refs: rows.flatMap(({ principal }) => parsePrincipalKey(principal) ?? []), now })
