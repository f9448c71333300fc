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

/** One text for everything that is in the store, but for what only tells that someone looked. Equal: nothing changed. */
export async function stateOf(store: Pick<TestDatabase, 'url'>): Promise<string> {
  const tables = await inStore(store, `select table_name as name from information_schema.tables where table_schema = 'tidegate' order by 1`)
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const [row] = await inStore(store, `select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as sum from ${String(name)} t`)
      return `${String(name)} ${String(row?.['sum'])}`
    }),
  )
  return rows.join('\n')
}
