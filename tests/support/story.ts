/** What the log and the store say of what happened. */

import pg from 'pg'
import type { Client, Output } from '@tidegate/api'
import type { TestDatabase } from './databases.ts'

export type Entry = Output<'listEntries'>['items'][number]

/** Oldest first. */
export async function entriesOf(admin: Client, about: { request?: string; grant?: string } = {}): Promise<Entry[]> {
  const entries: Entry[] = []
  let cursor: string | undefined
  do {
    const page = await admin.listEntries({ ...about, limit: 500, ...(cursor !== undefined && { cursor }) })
    entries.push(...page.items)
    cursor = page.next
  } while (cursor !== undefined)
  return entries.toReversed()
}

export const entryTypesOf = async (admin: Client, about?: { request?: string; grant?: string }): Promise<string[]> =>
  (await entriesOf(admin, about)).map(({ type }) => type)

/** In the store, past Tidegate. */
export async function inStore(
  { url }: Pick<TestDatabase, 'url'>,
  text: string,
  values: readonly unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=tidegate' })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text, [...values])).rows
  } finally {
    await client.end()
  }
}

/** One line for every table, of everything in it: equal before and after, when nothing changed. */
export async function stateOf(store: Pick<TestDatabase, 'url'>): Promise<string[]> {
  const tables = await inStore(
    store,
    `select table_name from information_schema.tables where table_schema = 'tidegate'`,
  )
  const sums = tables.map(({ table_name: name }) => {
    const table = String(name)
    return `select '${table} ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as line from ${table} t`
  })
  return (await inStore(store, `${sums.join(' union all ')} order by line`)).map(({ line }) => String(line))
}
