/** The store: your PostgreSQL, or one that this process runs. */

import { mkdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from 'pino'
import { secretUrlOf } from '../embedded/connection.ts'
import type { EmbeddedError } from '../embedded/faults.ts'
import { embeddedError } from '../embedded/faults.ts'
import type { DataDirLock } from '../embedded/lock.ts'
import { lockDataDir } from '../embedded/lock.ts'
import { startEmbeddedPostgres } from '../embedded/start.ts'
import type { Settings } from '../settings/settings.ts'

export type OpenStore = {
  /** Holds a password. */
  readonly secretUrl: string
  readonly close: () => Promise<void>
  /** Resolves when the embedded PostgreSQL is gone without having been asked to go. Never for a store of yours. */
  readonly lost: Promise<EmbeddedError<'gone'>>
  /** As `lost`, for whom something failed that may be due to it: undefined where the store is there. */
  readonly lostAlready: () => Promise<EmbeddedError<'gone'> | undefined>
}

/** Between its last connection and its exit: PostgreSQL waits for its own processes. */
const exitWithinMs = 5_000

const connectWithinMs = 10_000

const never = new Promise<never>(() => undefined)

/** Whoever runs it sees to that, and to its end. */
const neverLost = { lost: never, lostAlready: async () => undefined }

const databaseName = 'tidegate'

export async function openStore({ store, maxConnections }: Settings, logger: Logger): Promise<OpenStore> {
  if (store.kind === 'url') return { secretUrl: store.url, close: async () => undefined, ...neverLost }
  await mkdir(store.dataDir, { recursive: true })
  const lock = await lockDataDir(store.dataDir)
  try {
    return await openEmbedded({ dataDir: store.dataDir, lock, maxConnections, logger })
  } catch (error) {
    await lock.release()
    throw error
  }
}

type Embedded = { dataDir: string; lock: DataDirLock; maxConnections: number; logger: Logger }

async function openEmbedded({ dataDir, lock, maxConnections, logger }: Embedded): Promise<OpenStore> {
  const settings = { max_connections: String(maxConnections + 60) }
  const postgres = await startEmbeddedPostgres({ dataDir, lock, durable: true, settings })
  let closing = false
  const lost = postgres.exited.then(({ code, signal }) => {
    if (closing) return never
    logger.fatal({ code, signal }, 'the embedded PostgreSQL is gone')
    return embeddedError('gone', { dataDir })
  })
  const opened: OpenStore = {
    lost,
    lostAlready: async () =>
      (await answers(postgres.secretAdminUrl))
        ? undefined
        : Promise.race([lost, delay(exitWithinMs, undefined, { ref: false })]),
    secretUrl: secretUrlOf({ ...postgres.connection, database: databaseName }),
    async close() {
      closing = true
      await postgres.stop()
      await lock.release()
    },
  }
  await orClosed(opened, () => ensureDatabase(postgres.secretAdminUrl))
  return opened
}

/**
 * What `use` gives. Where it fails, the store is closed, and what is thrown is that the store is gone, where it is:
 * whatever broke because of that says less.
 */
export async function orClosed<T>(store: OpenStore, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    const lost = await store.lostAlready()
    await store.close()
    throw lost ?? error
  }
}

const ensureDatabase = (adminUrl: string): Promise<void> =>
  withClient(adminUrl, async (client) => {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`create database ${databaseName}`)
  })

const answers = (adminUrl: string): Promise<boolean> => withClient(adminUrl, async () => true).catch(() => false)

async function withClient<T>(adminUrl: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: connectWithinMs })
  // Its query is told too.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}
