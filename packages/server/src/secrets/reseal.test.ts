import { randomBytes } from 'node:crypto'
import { minutes } from '@tidegate/core'
import { sql } from 'kysely'
import { expect, test, vi } from 'vitest'
import { identityLimits } from '../identity/limits.ts'
import { factorLimits } from '../identity/factors/limits.ts'
import { totpPurpose } from '../identity/factors/totp.ts'
import { openInstallation } from '../installation.ts'
import { createLogger } from '../logger.ts'
import { StartRefusal } from '../settings/start-refusal.ts'
import type { TestStore } from '../testing/store.ts'
import { connect, storeForTest } from '../testing/store.ts'
import { open, seal } from './envelope.ts'
import type { Keys, MasterKey } from './keys.ts'
import { createMasterKey, makeKey } from './keys.ts'
import { keyLimits } from './limits.ts'
import { countSealed, reseal } from './reseal.ts'
import { sealedColumns } from './sealed-values.ts'

const log = createLogger('silent')
const random = (count: number): Uint8Array => randomBytes(count)
const newKey = () => makeKey(randomBytes(32))

/** As a server that starts with these keys. */
async function started(store: TestStore, ...keys: Keys): Promise<MasterKey> {
  const key = createMasterKey(keys)
  await openInstallation({ ...store, key })
  return key
}

async function addCodes(store: TestStore, key: MasterKey, users: readonly string[]): Promise<void> {
  const at = new Date(store.runtime.now())
  const rows = users.map((userId) => ({
    userId,
    secret: seal(Buffer.from(`secret of ${userId}`), { key, purpose: totpPurpose(userId), random }),
    lastStep: 0,
    createdAt: at,
    lastUsedAt: at,
  }))
  await store.db.insertInto('totp').values(rows).execute()
}

async function codesOf(store: TestStore, key: MasterKey): Promise<Record<string, string>> {
  const rows = await store.db.selectFrom('totp').selectAll().orderBy('userId').execute()
  return Object.fromEntries(
    rows.map(({ userId, secret }) => [userId, open(secret, { key, purpose: totpPurpose(userId) }).toString('utf8')]),
  )
}

const keysIn = async (store: TestStore): Promise<string[]> => [
  ...new Set((await countSealed(store.db)).map(({ key }) => key)),
]

const later = (store: TestStore): TestStore => ({
  ...store,
  runtime: {
    ...store.runtime,
    now: () => (store.runtime.now() + minutes(15)) as ReturnType<TestStore['runtime']['now']>,
  },
})

const users = (count: number): string[] => Array.from({ length: count }, (_, index) => `user-${index}`)

test('what one key sealed is sealed with the next, more than fits into one step, and the first is not needed any more', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await addCodes(store, await started(store, before), users(keyLimits.atOnce + 50))
  const was = await codesOf(store, createMasterKey([before]))
  const key = await started(store, after, before)
  expect(key.sealing().id).toBe(after.id)
  await reseal({ ...store, key, log })
  expect(await keysIn(store)).toEqual([after.id])
  const alone = await started(store, after)
  expect(await codesOf(store, alone)).toEqual(was)
})

test('a server that was started before seals with the next key as soon as it looks', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  const running = await started(store, before, after)
  await started(store, after, before)
  expect(running.sealing().id).toBe(before.id)
  await reseal({ ...store, key: running, log })
  expect(running.sealing().id).toBe(after.id)
})

test('a server that was not given the next key says so, and changes nothing', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  const running = await started(store, before)
  await started(store, after, before)
  await expect(reseal({ ...store, key: running, log })).rejects.toThrow(`the master key ${after.id} by now`)
  expect(await keysIn(store)).toEqual([before.id])
})

test('a start without a key that something is sealed with is refused by its id, and changes nothing', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await addCodes(store, await started(store, before), ['alice'])
  const wrong: readonly Keys[] = [[after], [newKey(), after]]
  for (const keys of wrong) {
    const starting = started(store, ...keys)
    await expect(starting).rejects.toBeInstanceOf(StartRefusal)
    await expect(starting).rejects.toThrow(`the master key ${before.id}`)
  }
  const key = await started(store, after, before)
  // Not before all of it is sealed with the next.
  await expect(started(store, after)).rejects.toThrow(`the master key ${before.id}`)
  expect(await codesOf(store, key)).toEqual({ alice: 'secret of alice' })
})

test('a start with the keys the wrong way round brings the earlier one not back', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await started(store, before)
  await started(store, after, before)
  const late = await started(store, before, after)
  expect(late.sealing().id).toBe(after.id)
  await expect(started(store, before)).rejects.toThrow(`the master key ${after.id}`)
  const entries = await store.db.selectFrom('auditEntry').select('type').where('type', 'like', 'master-key.%').execute()
  expect(entries).toEqual([{ type: 'master-key.changed' }])
})

test('that nothing is left is written down once, not before pages and cookies of it are over', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await started(store, before)
  const key = await started(store, after, before)
  const unused = () => store.db.selectFrom('masterKey').select('id').where('unusedAt', 'is not', null).execute()
  await reseal({ ...store, key, log })
  expect(await unused()).toEqual([])
  for (let times = 0; times < 2; times++) await reseal({ ...later(store), key, log })
  expect(await unused()).toEqual([{ id: before.id }])
  const entries = await store.db.selectFrom('auditEntry').select('type').orderBy('serial').execute()
  expect(entries.map(({ type }) => type)).toEqual(['installation.created', 'master-key.changed', 'master-key.unused'])
})

test('nothing outside the store counts for longer than a replaced key is kept for', () => {
  const longest = Math.max(
    identityLimits.attempt,
    identityLimits.proofNonce + identityLimits.keyProof,
    identityLimits.rotationGrace,
    factorLimits.challenge,
  )
  expect(longest).toBeLessThanOrEqual(keyLimits.sealedElsewhere)
})

test('what someone changes at this moment is theirs, is not waited for, and is found the next time', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await addCodes(store, await started(store, before), ['alice', 'bob'])
  const key = await started(store, after, before)
  const other = connect(store.database)
  await other.transaction().execute(async (tx) => {
    const secret = seal(Buffer.from('another'), {
      key: createMasterKey([before]),
      purpose: totpPurpose('alice'),
      random,
    })
    await tx.updateTable('totp').set({ secret }).where('userId', '=', 'alice').execute()
    await reseal({ ...store, key, log })
  })
  await other.destroy()
  expect(await codesOf(store, key)).toEqual({ alice: 'another', bob: 'secret of bob' })
  expect(await keysIn(store)).toContain(before.id)
  await reseal({ ...store, key, log })
  expect(await keysIn(store)).toEqual([after.id])
})

test('two servers that seal anew at once do it once, and lose nothing', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await addCodes(store, await started(store, before), users(500))
  const was = await codesOf(store, createMasterKey([before]))
  const key = await started(store, after, before)
  const other = connect(store.database)
  const both = [store.db, other].map((db) => reseal({ ...store, db, key, log }))
  await Promise.all(both)
  await other.destroy()
  await reseal({ ...store, key, log })
  expect(await keysIn(store)).toEqual([after.id])
  expect(await codesOf(store, createMasterKey([after]))).toEqual(was)
})

test('a value that does not open stays as it is, holds up no other, and keeps its key from being unused', async () => {
  const store = await storeForTest()
  const [before, after] = [newKey(), newKey()]
  await addCodes(store, await started(store, before), ['alice', 'bob'])
  await sql`update totp set secret = set_byte(secret, 40, get_byte(secret, 40) # 1) where user_id = 'alice'`.execute(
    store.db,
  )
  const key = await started(store, after, before)
  const quiet = createLogger('silent')
  const error = vi.spyOn(quiet, 'error')
  await reseal({ ...later(store), key, log: quiet })
  expect(error.mock.calls).toMatchObject([[{ table: 'totp', ids: ['alice'] }, expect.any(String)]])
  expect((await countSealed(store.db)).find((sealed) => sealed.key === before.id)?.count).toBe(1)
  expect(await store.db.selectFrom('masterKey').select('id').where('unusedAt', 'is not', null).execute()).toEqual([])
})

test('every column that holds what is sealed is known, by the words of the schema', async () => {
  const store = await storeForTest()
  const { rows } = await sql<{ table: string; column: string }>`
    select table_name as table, column_name as column from information_schema.columns
    where table_schema = 'tidegate' and data_type = 'bytea'`.execute(store.db)
  // Hashes, public keys, the log and its commitments are no secrets.
  const open = /hash|public_key|^audit_/
  const sealed = rows.filter(({ table, column }) => !open.test(column) && !open.test(table))
  const names = sealedColumns.map(({ table, column }) => `${table}.${column}`)
  // What guesses are counted by is a hash as well.
  expect(sealed.map(({ table, column }) => `${table}.${column}`).toSorted()).toEqual(
    [...names, 'guess.subject'].toSorted(),
  )
})
