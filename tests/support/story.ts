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

/** Every row of every table, as text. */
export async function everythingIn(store: Pick<TestDatabase, 'url'>): Promise<string> {
  const tables = await tablesOf(store)
  const rows = tables.map((table) => `select '${table} ' || t::text as line from ${table} t`)
  return (await inStore(store, rows.join(' union all '))).map(({ line }) => String(line)).join('\n')
}

async function tablesOf(store: Pick<TestDatabase, 'url'>): Promise<string[]> {
  const all = `select table_name as name from information_schema.tables where table_schema = 'tidegate'`
  return (await inStore(store, all)).map(({ name }) => String(name))
}

/** One line for every table, of everything in it: equal before and after, when nothing changed. */
export async function stateOf(store: Pick<TestDatabase, 'url'>): Promise<string[]> {
  const sums = (await tablesOf(store)).map((table) => {
    const sum = `coalesce(md5(string_agg(t::text, '|' order by t::text)), '')`
    return `select '${table} ' || count(*) || ' ' || ${sum} as line from ${table} t`
  })
  return (await inStore(store, `${sums.join(' union all ')} order by line`)).map(({ line }) => String(line))
}
