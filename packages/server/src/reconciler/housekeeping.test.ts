import { days, instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { instantParam } from '../store/database.ts'
import { storeForTest } from '../testing/store.ts'
import { housekeeping } from './housekeeping.ts'

const now = instant(Date.UTC(2026, 0, 20, 9))
const ago = (ms: number): Date => instantParam(instant(now - ms))

test('idempotency keys and stale signals are thrown away a week after they served, and not before', async () => {
  const { db, runtime } = await storeForTest()
  const answer = { principal: 'user:alice', operation: 'fileRequest', inputHash: Buffer.alloc(32), output: '{}' }
  const signal = { name: 'device', value: '{}', source: 'test', observedAt: ago(days(30)) }
  for (const [key, ms] of Object.entries({ old: days(7) + 1, young: days(7) })) {
    await db
      .insertInto('idempotency')
      .values({ ...answer, key, at: ago(ms) })
      .execute()
    await db
      .insertInto('signal')
      .values({ ...signal, subject: key, staleAt: ago(ms) })
      .execute()
  }
  await housekeeping({ db, runtime: { ...runtime, now: () => now } })
  expect(await db.selectFrom('idempotency').select('key').execute()).toEqual([{ key: 'young' }])
  expect(await db.selectFrom('signal').select('subject').execute()).toEqual([{ subject: 'young' }])
})
