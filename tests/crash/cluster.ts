/** A PostgreSQL of the test's own, that can be killed, paused, restarted, closed to writing and filled with connections. */

import { join } from 'node:path'
import pg from 'pg'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../packages/server/src/embedded/start.ts'
import { eventually } from './eventually.ts'
import { killTree, pauseTree } from './process-tree.ts'

export type Cluster = {
  /** Of the superuser. The port stays the same over restarts. */
  readonly connection: Connection
  readonly pid: () => number
  readonly urlOf: (database: string) => string
  /** As the superuser, on a connection of its own. */
  readonly query: (database: string, text: string, values?: readonly unknown[]) => Promise<Row[]>
  /** As the superuser, for the caller to end. */
  readonly connect: (database: string) => Promise<pg.Client>
  /** Resolves when the last of its processes is gone. */
  readonly kill: () => Promise<void>
  /** After a kill: on the same data and port. */
  readonly start: () => Promise<void>
  readonly restart: () => Promise<void>
  readonly pause: () => Promise<void>
  readonly resume: () => void
  /** Resolves when it is gone, for whatever reason. */
  readonly exited: () => Promise<unknown>
  /** For every session from now on, those that are there included. `undefined`: as it was. */
  readonly set: (setting: 'default_transaction_read_only', value: string | undefined) => Promise<void>
  /** Takes every connection that there is for those who are not superusers. Resolves with how to give them back. */
  readonly exhaust: () => Promise<() => Promise<void>>
  readonly end: () => Promise<void>
}

export type Row = Readonly<Record<string, unknown>>

type Options = { readonly folder: string; readonly name: string; readonly maxConnections?: number }

export async function startCluster({ folder, name, maxConnections = 100 }: Options): Promise<Cluster> {
  const dataDir = join(folder, name)
  // Little of the log of writes, which may be in memory.
  const settings = { max_connections: String(maxConnections), min_wal_size: '32MB', max_wal_size: '64MB' }
  const open = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ dataDir, durable: true, settings, ...(port !== undefined && { port }) })
  let postgres = await open()
  let resume: (() => void) | undefined
  const { connection } = postgres
  const urlOf = (database: string): string => secretUrlOf({ ...connection, database })
  const query: Cluster['query'] = (database, text, values) => queryAt(urlOf(database), text, values)
  return {
    connection,
    pid: () => postgres.pid,
    urlOf,
    query,
    async kill() {
      await killTree(postgres.pid)
      await postgres.exited
    },
    async start() {
      postgres = await open(connection.port)
    },
    async restart() {
      await postgres.stop()
      postgres = await open(connection.port)
    },
    async pause() {
      resume = await pauseTree(postgres.pid)
    },
    resume: () => resume?.(),
    exited: () => postgres.exited,
    async set(setting, value) {
      await query(
        'postgres',
        value === undefined ? `ALTER SYSTEM RESET ${setting}` : `ALTER SYSTEM SET ${setting} = ${value}`,
      )
      await query('postgres', 'SELECT pg_reload_conf()')
      await eventually({ what: `${setting} is ${value}`, withinMs: 10_000 }, async () => {
        const [row] = await query('postgres', 'SELECT current_setting($1) AS now', [setting])
        return row?.['now'] === (value ?? 'off')
      })
    },
    connect: (database) => connectTo(urlOf(database)),
    exhaust: () => exhaust(connection),
    async end() {
      resume?.()
      await postgres.stop('immediate')
    },
  }
}

const connectWithinMs = 5_000

export async function queryAt(url: string, text: string, values: readonly unknown[] = []): Promise<Row[]> {
  const client = await connectTo(url)
  try {
    return (await client.query<Row>(text, [...values])).rows
  } finally {
    await client.end()
  }
}

async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectWithinMs })
  // What breaks is heard of by whoever asks next.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

const filler = 'tidegate_filler'

/**
 * Those in use are ended whenever there is no room beside them, until all that there are belong to us. The superuser
 * stays: even of those kept for superusers, each may just be looked at by someone who is about to be refused.
 */
async function exhaust(connection: Connection): Promise<() => Promise<void>> {
  const superuser = await connectTo(secretUrlOf(connection))
  await superuser.query(`CREATE ROLE ${filler} LOGIN PASSWORD '${connection.password}'`)
  const { rows } = await superuser.query<Row>(
    `SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int)::int - 1 AS count FROM pg_settings
     WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')`,
  )
  const clients: pg.Client[] = []
  while (clients.length < Number(rows[0]?.['count'])) {
    await superuser.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM '${filler}' AND pid <> pg_backend_pid()`,
    )
    await fill(connection, clients)
  }
  return async () => {
    await Promise.all(clients.map((client) => client.end()))
    await superuser.query(`DROP ROLE ${filler}`)
    await superuser.end()
  }
}

/** Returns when there is no room for another. */
async function fill(connection: Connection, clients: pg.Client[]): Promise<void> {
  for (;;) {
    const client = new pg.Client({ ...connection, user: filler })
    client.on('error', () => undefined)
    try {
      await client.connect()
      clients.push(client)
    } catch (error) {
      if ((error as { code?: unknown }).code !== '53300') throw error
      return
    }
  }
}
