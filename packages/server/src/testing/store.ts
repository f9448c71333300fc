/** A migrated store of a test's own, as the server sees it. */

import { onTestFinished } from 'vitest'
import { createTestDatabase } from '../../../../tests/support/databases.ts'
import type { TestDatabase } from '../../../../tests/support/databases.ts'
import { createLogger } from '../logger.ts'
import type { Runtime } from '../runtime.ts'
import { systemRuntime } from '../runtime.ts'
import type { Database } from '../store/database.ts'
import { createDatabase, createPool } from '../store/database.ts'

export type TestStore = { readonly db: Database; readonly runtime: Runtime; readonly database: TestDatabase }

export async function storeForTest(runtime: Runtime = systemRuntime): Promise<TestStore> {
  const database = await createTestDatabase('store')
  const db = connect(database)
  onTestFinished(async () => {
    await db.destroy()
    await database.drop()
  })
  return { db, runtime, database }
}

/** Connections of their own, as another process has. The caller closes them. */
export const connect = ({ url }: TestDatabase): Database =>
  createDatabase(
    createPool({
      url,
      maxConnections: 8,
      connectTimeoutMs: 10_000,
      statementTimeoutMs: 30_000,
      log: createLogger('silent'),
    }),
  )
