import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { createLogger } from '../../logger.ts'
import { createDatabase, createPool } from '../../store/database.ts'
import { storeForTest } from '../../testing/store.ts'
import { createHashing } from './hashing.ts'
import type { Hashing } from './hashing.ts'
import { hashPassword } from './password.ts'
import { provePassword } from './password-proof.ts'

const password = 'correct horse battery staple'

test('whoever waits for their turn to be hashed holds up nobody, where there is one connection alone', async () => {
  const { runtime, database } = await storeForTest()
  const limits = { connectTimeoutMs: 10_000, statementTimeoutMs: 30_000, log: createLogger('silent') }
  const db = createDatabase(createPool({ url: database.url, maxConnections: 1, ...limits }))
  onTestFinished(() => db.destroy())
  const account = { userId: 'alice', password: await hashPassword(password), joinedAt: new Date() }
  await db.insertInto('localAccount').values(account).execute()

  const { hashing, reached, letGo } = busyHashing()
  const deps = { db, runtime, hashing }
  const known = provePassword(deps, { user: 'alice', password, address: '127.0.0.1' })
  const unknown = provePassword(deps, { user: 'mallory', password, address: '127.0.0.1' })
  await reached
  const open = sql`select from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`
  expect((await open.execute(db)).rows).toEqual([])
  letGo()
  expect(await known).toEqual({ right: true, against: account.password })
  expect(await unknown).toEqual({ right: false })
})

/** Its one turn is taken until the test lets go; `reached` once two more are waiting for it. */
function busyHashing() {
  const { run } = createHashing({ atOnce: 1, waiting: 10 })
  let letGo = (): void => undefined
  let bothWait = (): void => undefined
  void run(() => new Promise<void>((resolve) => (letGo = resolve)))
  const reached = new Promise<void>((resolve) => (bothWait = resolve))
  let waiting = 0
  const hashing: Hashing = {
    run(work) {
      if (++waiting === 2) bothWait()
      return run(work)
    },
  }
  return { hashing, reached, letGo: () => letGo() }
}
