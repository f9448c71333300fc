import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { isEmbeddedError } from '../../packages/server/src/embedded/faults.ts'
import { lockDataDir } from '../../packages/server/src/embedded/lock.ts'
import { startEmbeddedPostgres } from '../../packages/server/src/embedded/start.ts'
import { withClient } from './clients.ts'
import { startTargetPostgres, type TestPostgres } from './embedded.ts'
import { makeScratchFolder, scratchRoot } from './folders.ts'

declare module 'vitest' {
  interface ProvidedContext {
    readonly storeCluster: Connection
    readonly targetCluster: Connection
    /** As in `server_version_num`. */
    readonly targetVersion: number
  }
}

const folderPrefix = 'tidegate-test-'

/** One cluster for the store and one as a customer's target, for the whole run: real servers, with fsync on. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await removeAbandoned()
  const folder = makeScratchFolder(folderPrefix)
  const lock = await lockDataDir(folder)
  const starting = [
    startEmbeddedPostgres(clusterAt(join(folder, 'store'))),
    startTargetPostgres(clusterAt(join(folder, 'target'))),
  ]
  const teardown = async (): Promise<void> => {
    await stopAll(starting)
    await lock.release()
    await rm(folder, { recursive: true })
  }
  try {
    const [store, target] = await Promise.all(starting)
    if (store === undefined || target === undefined) throw new Error('Two clusters were started.')
    await createStoreTemplate(store.connection)
    project.provide('storeCluster', store.connection)
    project.provide('targetCluster', target.connection)
    project.provide('targetVersion', await versionOf(target.connection))
    return teardown
  } catch (error) {
    await teardown()
    throw error
  }
}

/** Room for many test files at once; and little of the log of writes, which may be in memory. */
const clusterAt = (dataDir: string) => ({
  dataDir,
  durable: true,
  settings: { max_connections: '300', max_wal_size: '256MB' },
})

/** Those that did not start have nothing to stop, and have said why. */
async function stopAll(starting: readonly Promise<TestPostgres>[]): Promise<void> {
  const started = (await Promise.allSettled(starting)).filter((outcome) => outcome.status === 'fulfilled')
  await Promise.all(started.map(({ value }) => value.stop()))
}

const versionOf = (cluster: Connection): Promise<number> =>
  withClient(cluster, async (client) =>
    Number((await client.query('SHOW server_version_num')).rows[0].server_version_num),
  )

/** The database that every store of a test is cloned from. Nobody may connect to it, or it could not be cloned. */
async function createStoreTemplate(cluster: Connection): Promise<void> {
  const database = 'tidegate_template'
  await withClient(cluster, (client) => client.query(`CREATE DATABASE ${database}`))
  await migrateStore(secretUrlOf({ ...cluster, database }))
  await withClient(cluster, (client) =>
    client.query(`ALTER DATABASE ${database} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false`),
  )
}

// HOOK: the server's migrations. Until they are written, the template is an empty database. When
// packages/server/src/store/migrate.ts exists, this function becomes a plain import of its `migrate`.
async function migrateStore(url: string): Promise<void> {
  const file = new URL('../../packages/server/src/store/migrate.ts', import.meta.url)
  if (!existsSync(file)) return
  const { migrate }: { migrate: (connectionUrl: string) => Promise<void> } = await import(file.pathname)
  await migrate(url)
}

/** The folders of runs that were killed. Their clusters were stopped by the watchdog; a run that lives holds its lock. */
async function removeAbandoned(): Promise<void> {
  const names = (await readdir(scratchRoot())).filter((name) => name.startsWith(folderPrefix))
  const folders = names.map((name) => join(scratchRoot(), name))
  // Without a lock, a run may just be beginning there.
  await Promise.all(folders.filter((folder) => existsSync(join(folder, 'lock'))).map(removeUnlessLive))
}

async function removeUnlessLive(folder: string): Promise<void> {
  try {
    await lockDataDir(folder)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  } catch (error) {
    if (!isEmbeddedError(error, 'data-dir-in-use')) throw error
  }
}
