/**
 * One process at a time works on a grant's target: whoever opens and whoever closes exclude each other, in whatever
 * process they are. The lock lives as long as the transaction, so a process that dies lets go at once.
 */

import { sql } from 'kysely'
import type { Tx } from '../store/database.ts'

/** The first key keeps our locks apart from one another. */
const grantLocks = 7_243_002

export const tryGrantLock = async (tx: Tx, grant: string): Promise<boolean> =>
  (await tryGrantLocks(tx, [grant])).has(grant)

/** Returns those that were had. */
export async function tryGrantLocks(tx: Tx, grants: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ grant: string; locked: boolean }>`
    select grant_id as grant, pg_try_advisory_xact_lock(${grantLocks}, hashtext(grant_id)) as locked
    from unnest(${[...grants]}::text[]) as grant_id`.execute(tx)
  return new Set(rows.filter(({ locked }) => locked).map(({ grant }) => grant))
}
