/**
 * Forward-only migrations: every `.sql` file of `migrations/`, in the order of its number, each in one transaction,
 * under a lock, remembered with the hash of its text.
 */

import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'

const folder = new URL('./migrations/', import.meta.url)

/** One server migrates at a time; the number is arbitrary but ours. */
const lockId = 7_243_001

export type Migration = { readonly name: string; readonly sql: string; readonly hash: string }

export async function loadMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{3}_\w+\.sql$/.test(name)).toSorted()
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8')
      return { name, sql, hash: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/**
 * Brings the database at `url` to the present schema.
 * @throws when a migration that ran before has another text now, or the database knows one that this version does not
 */
export async function migrate(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'tidegate-migrate',
  })
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [lockId])
    await client.query('create schema if not exists tidegate')
    await client.query("select set_config('search_path', 'tidegate', false)")
    await client.query(
      'create table if not exists migration (name text primary key, hash text not null, ran_at timestamptz not null default now())',
    )
    await runMissing(client, await loadMigrations())
  } finally {
    await client.end()
  }
}

async function runMissing(client: pg.Client, migrations: readonly Migration[]): Promise<void> {
  const { rows } = await client.query<{ name: string; hash: string }>('select name, hash from migration')
  const ran = new Map(rows.map(({ name, hash }) => [name, hash]))
  for (const { name, hash } of migrations) {
    const before = ran.get(name)
    if (before !== undefined && before !== hash)
      throw new Error(`Migration ${name} ran with another text than it has now.`)
    ran.delete(name)
  }
  const [unknown] = ran.keys()
  if (unknown !== undefined) {
    throw new Error(
      `The database has run migration ${unknown}, which this version does not know. Start a newer Tidegate.`,
    )
  }
  const done = new Set(rows.map(({ name }) => name))
  for (const migration of migrations.filter(({ name }) => !done.has(name))) await run(client, migration)
}

async function run(client: pg.Client, { name, sql, hash }: Migration): Promise<void> {
  await client.query('begin')
  try {
    await client.query(sql)
    await client.query('insert into migration (name, hash) values ($1, $2)', [name, hash])
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    throw new Error(`Migration ${name} failed; nothing of it was kept.`, { cause })
  }
}
