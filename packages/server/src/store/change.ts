/**
 * One change: state, entries and wake-ups in one transaction. Either all of it is so, or none of it.
 */

import { sql } from 'kysely'
import type { Instant } from '@tidegate/core'
import type { EntryDraft } from '../log/append.ts'
import { appendEntries } from '../log/append.ts'
import type { Runtime } from '../runtime.ts'
import type { Database, Tx } from './database.ts'

/** Wake-ups between processes. Each is only a hint: whoever misses one finds the work by its clock. */
export const channel = 'tidegate'
export type Hint = 'due' | 'entries' | 'configuration'

export type Unit = {
  readonly tx: Tx
  readonly now: Instant
  readonly runtime: Runtime
  /** Entries of this change, written when the work is done. */
  readonly record: (...drafts: EntryDraft[]) => void
  /** Sent when the change is committed. */
  readonly hint: (hint: Hint) => void
}

type Deps = { readonly db: Database; readonly runtime: Runtime }

/**
 * Read committed, and rows locked by whoever changes them. What `work` throws rolls everything back.
 */
export async function change<T>({ db, runtime }: Deps, work: (unit: Unit) => Promise<T>): Promise<T> {
  return db.transaction().execute(async (tx) => {
    const drafts: EntryDraft[] = []
    const hints = new Set<Hint>()
    const result = await work({
      tx,
      now: runtime.now(),
      runtime,
      record: (...list) => void drafts.push(...list),
      hint: (hint) => void hints.add(hint),
    })
    await appendEntries(tx, runtime, drafts)
    if (drafts.length > 0) hints.add('entries')
    for (const hint of hints) await sql`select pg_notify(${channel}, ${hint})`.execute(tx)
    return result
  })
}
