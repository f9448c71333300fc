/** A PostgreSQL for histories outside of the tests: fast, because nobody will miss what is in it. */

import { rm } from 'node:fs/promises'
import pg from 'pg'
import { startEmbeddedPostgres } from '@tidegate/server'
import { secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { migrate } from '../../packages/server/src/store/migrate.ts'
import { makeScratchFolder } from '../support/folders.ts'

export async function startStore(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const folder = makeScratchFolder('tidegate-simulation-')
  const settings = { max_connections: '120', autovacuum: 'off' }
  const postgres = await startEmbeddedPostgres({ dataDir: folder, durable: false, settings })
  const client = new pg.Client({ connectionString: postgres.secretAdminUrl })
  await client.connect()
  await client.query('create database simulation')
  await client.end()
  const url = secretUrlOf({ ...postgres.connection, database: 'simulation' })
  await migrate(url)
  return {
    url,
    async stop() {
      await postgres.stop('immediate')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
