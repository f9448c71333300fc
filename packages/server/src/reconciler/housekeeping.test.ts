import { days, instant } from '@tidegate/core'
import { connectorKinds } from '@tidegate/connectors'
import { expect, test } from 'vitest'
import { createConfigurations } from '../configuration/configurations.ts'
import { findPrincipals } from '../identity/principals.ts'
import { instantParam } from '../store/database.ts'
import { storeForTest } from '../testing/store.ts'
import { housekeeping } from './housekeeping.ts'

const now = instant(Date.UTC(2026, 0, 20, 9))
const configurations = createConfigurations(connectorKinds)
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
  await housekeeping({ db, runtime: { ...runtime, now: () => now }, configurations, findPrincipals })
  expect(await db.selectFrom('idempotency').select('key').execute()).toEqual([{ key: 'young' }])
  expect(await db.selectFrom('signal').select('subject').execute()).toEqual([{ subject: 'young' }])
})

test('an invitation is thrown away once it is over', async () => {
  const { db, runtime } = await storeForTest()
  const invited = { createdAt: ago(days(3)), printed: false }
  for (const [userId, ms] of Object.entries({ alice: 0, bob: -1 }))
    await db
      .insertInto('invitation')
      .values({ ...invited, userId, hash: Buffer.from(userId), endsAt: ago(ms) })
      .execute()
  await housekeeping({ db, runtime: { ...runtime, now: () => now }, configurations, findPrincipals })
  expect(await db.selectFrom('invitation').select('userId').execute()).toEqual([{ userId: 'bob' }])
})

test('administrators whose tokens are about to end are a finding, until there are new ones', async () => {
  const { db, runtime } = await storeForTest()
  const at = (ms: number) => ({ db, runtime: { ...runtime, now: () => instant(ms) }, configurations, findPrincipals })
  const open = () => db.selectFrom('finding').select(['kind', 'severity']).where('closedAt', 'is', null).execute()
  const token = { principal: 'user:admin', createdAt: ago(0), revokedAt: null }
  const until = (ms: number): Date => instantParam(instant(now + ms))
  const first = { ...token, id: 'tok_1', hash: Buffer.alloc(32, 1), expiresAt: until(days(30)) }
  await db.insertInto('apiToken').values(first).execute()
  await housekeeping(at(now + days(15)))
  expect(await open()).toEqual([])
  await housekeeping(at(now + days(17)))
  expect(await open()).toEqual([{ kind: 'administrators-expiring', severity: 'high' }])
  const second = { ...token, id: 'tok_2', hash: Buffer.alloc(32, 2), expiresAt: until(days(90)) }
  await db.insertInto('apiToken').values(second).execute()
  await housekeeping(at(now + days(17)))
  expect(await open()).toEqual([])
})
