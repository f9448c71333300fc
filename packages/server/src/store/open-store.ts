/** The store: your PostgreSQL, or one that this process runs. */

import { mkdir } from 'node:fs/promises'
import pg from 'pg'
import type { Logger } from 'pino'
import { secretUrlOf } from '../embedded/connection.ts'
import type { DataDirLock } from '../embedded/lock.ts'
import { lockDataDir } from '../embedded/lock.ts'
import { startEmbeddedPostgres } from '../embedded/start.ts'
import type { Settings } from '../settings/settings.ts'

export type OpenStore = {
  /** Holds a password. */
  readonly secretUrl: string
  readonly close: () => Promise<void>
  /** Resolves when the embedded PostgreSQL is gone without having been asked to go. Never for a store of yours. */
  readonly lost: Promise<string>
}

const never = new Promise<never>(() => undefined)

const databaseName = 'tidegate'

export async function openStore({ store, maxConnections }: Settings, logger: Logger): Promise<OpenStore> {
  if (store.kind === 'url') return { secretUrl: store.url, close: async () => undefined, lost: never }
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
    return `The embedded PostgreSQL is gone; ${dataDir}/postgres.log may say why.`
  })
  await ensureDatabase(postgres.secretAdminUrl)
  return {
    lost,
    secretUrl: secretUrlOf({ ...postgres.connection, database: databaseName }),
    async close() {
      closing = true
      await postgres.stop()
      await lock.release()
    },
  }
}

async function ensureDatabase(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [databaseName])
    if (rowCount === 0) await client.query(`create database ${databaseName}`)
  } finally {
    await client.end()
  }
}
