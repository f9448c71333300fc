import { randomBytes } from 'node:crypto'
import { days } from '@tidegate/core'
import { expect, test } from 'vitest'
import { openInstallation } from '../installation.ts'
import { createMasterKey, makeKey } from '../secrets/keys.ts'
import { connect, storeForTest } from '../testing/store.ts'
import { areToBeGiven, takeFirstWaysIn } from './first-ways-in.ts'
import { hashToken } from './tokens.ts'

async function setUp() {
  const store = await storeForTest()
  await openInstallation({ ...store, key: createMasterKey([makeKey(randomBytes(32))]) })
  return store
}

test('they are given once, however often a server started before it came to that', async () => {
  const store = await setUp()
  expect([await areToBeGiven(store), await areToBeGiven(store)]).toEqual([true, true])
  const given = await takeFirstWaysIn(store)
  expect(given?.token).toMatch(/^tdg_[A-Za-z0-9_-]{43}$/)
  expect(given?.invitation).toMatch(/^tdi_[A-Za-z0-9_-]{43}$/)
  expect(await areToBeGiven(store)).toBe(false)
  expect(await takeFirstWaysIn(store)).toBeUndefined()
})

test('of many servers that ask at once, one gets them', async () => {
  const store = await setUp()
  const others = Array.from({ length: 4 }, () => connect(store.database))
  const given = await Promise.all([store.db, ...others].map((db) => takeFirstWaysIn({ ...store, db })))
  expect(given.filter((one) => one !== undefined)).toHaveLength(1)
  expect(await store.db.selectFrom('apiToken').select('principal').execute()).toEqual([{ principal: 'user:admin' }])
  expect(await store.db.selectFrom('invitation').select('userId').execute()).toEqual([{ userId: 'admin' }])
  await Promise.all(others.map((db) => db.destroy()))
})

test('the store holds hashes of them, and neither in clear', async () => {
  const store = await setUp()
  const { token = '', invitation = '' } = (await takeFirstWaysIn(store)) ?? {}
  const kept = await store.db.selectFrom('apiToken').selectAll().executeTakeFirstOrThrow()
  expect(kept.hash.equals(hashToken(token))).toBe(true)
  expect(kept).toMatchObject({ principal: 'user:admin', revokedAt: null, expiresAt: kept.createdAt + days(90) })
  const link = await store.db.selectFrom('invitation').selectAll().executeTakeFirstOrThrow()
  expect(link.hash.equals(hashToken(invitation))).toBe(true)
  const row = await store.db.selectFrom('installation').selectAll().executeTakeFirstOrThrow()
  for (const secret of [token, invitation]) expect(JSON.stringify({ kept, link, row })).not.toContain(secret)
})
