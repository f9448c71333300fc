/** Everything that is open for someone, or through something, ends: in the transaction that says why. */

import type { GrantEnd } from '@tidegate/core'
import type { Unit } from '../store/change.ts'
import { openGrantPages } from '../store/grants.ts'
import { endGrant } from './end-grant.ts'

/** No list that is empty: nothing is open for nobody. */
type Which = Pick<Parameters<typeof openGrantPages>[1], 'principals' | 'logins' | 'run'>

const pageSize = 500

/** @returns the ids of those that were open */
export async function endGrants(unit: Unit, which: Which, end: Omit<GrantEnd, 'at'>): Promise<string[]> {
  const ids: string[] = []
  if (which.logins?.length === 0 || which.principals?.length === 0) return ids
  for await (const grants of openGrantPages(unit.tx, which, pageSize)) {
    await Promise.all(grants.map(({ id }) => endGrant(unit, { id, end: { ...end, at: unit.now } })))
    ids.push(...grants.map(({ id }) => id))
  }
  return ids
}
