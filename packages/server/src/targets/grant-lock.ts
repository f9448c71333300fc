/**
 * One process at a time works on a grant's target: whoever opens and whoever closes exclude each other, in whatever
 * process they are. The lock lives as long as the transaction, so a process that dies lets go at once.
 */

import { sql } from 'kysely'
import type { Tx } from '../store/database.ts'

/** The first key keeps our locks apart from one another. */
const grantLocks = 7_243_002

export async function tryGrantLock(tx: Tx, grant: string): Promise<boolean> {
  const { rows } = await sql<{ locked: boolean }>`
    select pg_try_advisory_xact_lock(${grantLocks}, hashtext(${grant})) as locked`.execute(tx)
  return rows[0]?.locked === true
}
