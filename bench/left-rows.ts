/** What something left in the store, put into another database beside it by bare SQL: what records alone cost. */

import pg from 'pg'
import { migrate } from '../packages/server/src/store/migrate.ts'
import { inParallel, timed } from './harness.ts'
import type { Store } from './stand.ts'

type Left = {
  /** Beside the store; made for this. */
  readonly database: string
  /** A row for each transaction, with a column for each table, in the order in which they go in: its rows, as JSON. */
  readonly query: string
  /** Transactions under way at once. */
  readonly width: number
}

/** Prepared, over as many connections as transactions are under way; what is made is made before. */
export async function insertLeft(
  store: Store,
  { database, query, width }: Left,
): Promise<{ readonly ms: number; readonly count: number }> {
  const url = await store.make(database)
  await migrate(url)
  const { rows } = await store.client.query<Record<string, string>>(query)
  const pool = new pg.Pool({ connectionString: url, options: '-c search_path=tidegate', max: width })
  try {
    const { ms } = await timed(() => inParallel(rows, width, (row) => insertOne(pool, row)))
    return { ms, count: rows.length }
  } finally {
    await pool.end()
  }
}

async function insertOne(pool: pg.Pool, row: Readonly<Record<string, string>>): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    for (const [table, json] of Object.entries(row)) {
      const text = `insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1)`
      await client.query({ name: `bare ${table}`, text, values: [json] })
    }
    await client.query('commit')
  } finally {
    client.release()
  }
}

/** Of an entry and the values that it commits to: the columns of `query`. */
export const entryColumns = (entry: string): string =>
  `json_build_array(${entry})::text as audit_entry,
  (select json_agg(a)::text from audit_disclosure a where a.entry = ${entry}.id) as audit_disclosure`
