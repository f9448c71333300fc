import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { openInstallation } from './installation.ts'
import type { OneKey } from './secrets/keys.ts'
import { createMasterKey, makeKey } from './secrets/keys.ts'
import { StartRefusal } from './settings/start-refusal.ts'
import { connect, storeForTest } from './testing/store.ts'

const newKey = (): OneKey => makeKey(randomBytes(32))

test('the first start makes the log’s key; the second reads it back', async () => {
  const store = await storeForTest()
  const key = createMasterKey([newKey()])
  const first = await openInstallation({ ...store, key })
  const second = await openInstallation({ ...store, key })
  expect(second.verifierKey).toBe(first.verifierKey)
  expect(first.verifierKey).toMatch(/^tidegate\/[0-9a-f]{16}\+/)
})

test('many first starts at once are one: one key, one entry', async () => {
  const store = await storeForTest()
  const key = createMasterKey([newKey()])
  const others = Array.from({ length: 4 }, () => connect(store.database))
  const started = await Promise.all([store.db, ...others].map((db) => openInstallation({ ...store, db, key })))
  expect(new Set(started.map(({ verifierKey }) => verifierKey)).size).toBe(1)
  expect(await store.db.selectFrom('auditEntry').select('type').execute()).toEqual([{ type: 'installation.created' }])
  await Promise.all(others.map((db) => db.destroy()))
})

test('another master key is refused, and changes nothing', async () => {
  const store = await storeForTest()
  const key = createMasterKey([newKey()])
  const { verifierKey } = await openInstallation({ ...store, key })
  const opening = openInstallation({ ...store, key: createMasterKey([newKey()]) })
  await expect(opening).rejects.toBeInstanceOf(StartRefusal)
  await expect(opening).rejects.toThrow('is not the one that was given')
  expect((await openInstallation({ ...store, key })).verifierKey).toBe(verifierKey)
})

test('the store holds the log’s key sealed, and not in clear', async () => {
  const store = await storeForTest()
  await openInstallation({ ...store, key: createMasterKey([newKey()]) })
  const row = await store.db.selectFrom('logKey').selectAll().executeTakeFirstOrThrow()
  // An Ed25519 key in PKCS #8 begins with these bytes.
  const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')
  expect(row.signingKey?.includes(pkcs8)).toBe(false)
})

test('the two sealed values do not stand in for one another', async () => {
  const store = await storeForTest()
  const key = createMasterKey([newKey()])
  await openInstallation({ ...store, key })
  const { keyCheck } = await store.db.selectFrom('installation').selectAll().executeTakeFirstOrThrow()
  const { signingKey } = await store.db.selectFrom('logKey').selectAll().executeTakeFirstOrThrow()
  await store.db
    .updateTable('installation')
    .set({ keyCheck: signingKey as Buffer })
    .execute()
  await store.db.updateTable('logKey').set({ signingKey: keyCheck }).execute()
  await expect(openInstallation({ ...store, key })).rejects.toBeInstanceOf(StartRefusal)
})
