/** A PostgreSQL of the test's own, that can be killed, paused, restarted, closed to writing and filled with connections. */

import { join } from 'node:path'
import pg from 'pg'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../packages/server/src/embedded/start.ts'
import { eventually } from './eventually.ts'
import { killTree, pauseTree, resumeTree } from './process-tree.ts'

export type Cluster = {
  /** Of the superuser. The port stays the same over restarts. */
  readonly connection: Connection
  readonly pid: () => number
  readonly urlOf: (database: string) => string
  /** As the superuser, on a connection of its own. */
  readonly query: (database: string, text: string, values?: readonly unknown[]) => Promise<Row[]>
  /** Resolves when the last of its processes is gone. */
  readonly kill: () => Promise<void>
  /** After a kill: on the same data and port. */
  readonly start: () => Promise<void>
  readonly restart: () => Promise<void>
  readonly pause: () => Promise<void>
  readonly resume: () => Promise<void>
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
  const settings = { max_connections: String(maxConnections), max_wal_size: '256MB' }
  const open = (port?: number): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({ dataDir, durable: true, settings, ...(port !== undefined && { port }) })
  let postgres = await open()
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
    pause: () => pauseTree(postgres.pid),
    resume: () => resumeTree(postgres.pid),
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
    exhaust: () => exhaust(connection),
    async end() {
      await resumeTree(postgres.pid)
      await postgres.stop('immediate')
    },
  }
}

const connectWithinMs = 5_000

export const queryAt = (url: string, text: string, values: readonly unknown[] = []): Promise<Row[]> =>
  withClient(url, async (client) => (await client.query<Row>(text, [...values])).rows)

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectWithinMs })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Those in use are ended as soon as there is no room beside them, so that nobody goes on with one from before. */
async function exhaust(connection: Connection): Promise<() => Promise<void>> {
  const filler = 'tidegate_filler'
  const clients: pg.Client[] = []
  await withClient(secretUrlOf(connection), async (superuser) => {
    await superuser.query(`DROP ROLE IF EXISTS ${filler}`)
    await superuser.query(`CREATE ROLE ${filler} LOGIN PASSWORD '${connection.password}'`)
    for (let full = false; !full;) {
      full = await fill(connection, { filler, clients })
      const { rowCount } = await superuser.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE backend_type = 'client backend' AND usename <> $1 AND pid <> pg_backend_pid()`,
        [filler],
      )
      full &&= rowCount === 0
    }
  })
  return async () => {
    await Promise.all(clients.map((client) => client.end()))
    await withClient(secretUrlOf(connection), (superuser) => superuser.query(`DROP ROLE ${filler}`))
  }
}

type Filling = { readonly filler: string; readonly clients: pg.Client[] }

/** Answers whether there was no room for another. */
async function fill(connection: Connection, { filler, clients }: Filling): Promise<boolean> {
  for (;;) {
    const client = new pg.Client({ ...connection, user: filler })
    client.on('error', () => undefined)
    try {
      await client.connect()
      clients.push(client)
    } catch (error) {
      if ((error as { code?: unknown }).code !== '53300') throw error
      return true
    }
  }
}
