import { instant } from '@tidegate/core'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { clusterOf } from '../../../../tests/support/databases.ts'
import { startProxyForTest } from '../../../../tests/support/proxy.ts'
import { secretUrlOf } from '../embedded/connection.ts'
import { toApiError } from '../http/faults.ts'
import { createLogger } from '../logger.ts'
import { storeForTest } from '../testing/store.ts'
import { boundInstant, createDatabase, createPool, instantParam } from './database.ts'
import { eventually } from '../../../../tests/support/eventually.ts'

test('an instant is stored and read back to the millisecond, in summer and in winter', async () => {
  const { db } = await storeForTest()
  // The years that four digits can say.
  const at = fc.integer({ min: Date.parse('0001-01-01T00:00:00Z'), max: Date.parse('9999-12-31T23:59:59.999Z') })
  await fc.assert(
    fc.asyncProperty(fc.array(at.map(instant), { minLength: 1, maxLength: 50 }), async (instants) => {
      const { rows } = await sql<{ at: number; same: boolean }>`
        select at, at = ${boundInstant(instants[0]!)} as same
        from unnest(${instants.map(instantParam)}::timestamptz[]) with ordinality as given (at, position)
        order by position`.execute(db)
      expect(rows).toEqual(instants.map((one) => ({ at: one, same: one === instants[0] })))
    }),
    { numRuns: 30 },
  )
})

test('a 64-bit number is a number', async () => {
  const { db } = await storeForTest()
  const { rows } = await sql<{ big: number }>`select ${2 ** 53 - 1}::bigint as big`.execute(db)
  expect(rows).toEqual([{ big: 2 ** 53 - 1 }])
})

test('JSON keeps the names of its fields, whatever the columns are called', async () => {
  const { db } = await storeForTest()
  const value = { two_words: 1, twoWords: 2 }
  const now = instantParam(instant(0))
  const row = { name: 'device', subject: 'user:alice', source: 'test', observedAt: now, staleAt: now }
  await db
    .insertInto('signal')
    .values({ ...row, value: JSON.stringify(value) })
    .execute()
  expect(await db.selectFrom('signal').select(['value', 'staleAt']).execute()).toEqual([{ value, staleAt: 0 }])
})

test('a store that does not answer is given up, with the whole change, and the connection is not used again', async () => {
  const { database } = await storeForTest()
  const proxy = await startProxyForTest(clusterOf('store'))
  const url = secretUrlOf({ ...database.connection, host: proxy.host, port: proxy.port })
  const limits = { maxConnections: 1, connectTimeoutMs: 20_000, statementTimeoutMs: 2_000 }
  const db = createDatabase(createPool({ url, ...limits, log: createLogger('silent') }))
  onTestFinished(() => db.destroy())
  const { rows: before } = await sql`select pg_backend_pid() as pid`.execute(db)
  const held = proxy.holdRequest('insert into "signal"')
  const now = instantParam(instant(0))
  const row = { name: 'device', subject: 'user:alice', source: 'test', observedAt: now, staleAt: now, value: '1' }
  const outcome = db
    .transaction()
    .execute((tx) => tx.insertInto('signal').values(row).execute())
    .catch((error: unknown) => error)
  await held
  expect(toApiError(await outcome)?.code).toBe('unavailable')
  proxy.mend()
  // Whoever comes before the old one has closed still meets it.
  const { rows: after } = await eventually(() => sql`select pg_backend_pid() as pid`.execute(db))
  expect(after).not.toEqual(before)
  expect(await db.selectFrom('signal').selectAll().execute()).toEqual([])
})
