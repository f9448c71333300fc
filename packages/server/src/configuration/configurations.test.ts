import { connectorKinds } from '@tidegate/connectors'
import { expect, test } from 'vitest'
import type { Database } from '../store/database.ts'
import type { Texts } from '../testing/configuration.ts'
import { filesOf, people, shopFiles } from '../testing/configuration.ts'
import { storeForTest } from '../testing/store.ts'
import { createConfigurations } from './configurations.ts'

const insert = (db: Pick<Database, 'insertInto'>, version: number, texts: Texts) =>
  db
    .insertInto('configurationVersion')
    .values({
      version,
      files: JSON.stringify(filesOf(texts)),
      hash: 'x',
      appliedAt: new Date(),
      appliedBy: 'user:dora',
    })
    .execute()

async function setUp() {
  const { db } = await storeForTest()
  return { db, configurations: createConfigurations(connectorKinds) }
}

test('before anything was applied version 0 is in force: administrators, and nothing else', async () => {
  const { db, configurations } = await setUp()
  const snapshot = await configurations.current(db)
  expect(snapshot).toMatchObject({ version: 0, files: [] })
  expect([...snapshot.resources.keys()]).toEqual(['tidegate'])
})

test('the latest version is in force from the moment it is committed, and in its own transaction before', async () => {
  const { db, configurations } = await setUp()
  await insert(db, 1, { 'people.yaml': people })
  await db.transaction().execute(async (tx) => {
    await insert(tx, 2, shopFiles)
    expect((await configurations.current(tx)).version).toBe(2)
    expect((await configurations.current(db)).version).toBe(1)
  })
  const snapshot = await configurations.current(db)
  expect(snapshot.version).toBe(2)
  expect([...snapshot.resources.keys()]).toEqual(['orders-db', 'tidegate'])
  expect([...(await configurations.at(db, 1)).resources.keys()]).toEqual(['tidegate'])
})

test('each version is parsed once for as long as it is among the latest that were asked for', async () => {
  const { db, configurations } = await setUp()
  for (const version of [1, 2, 3, 4, 5]) await insert(db, version, shopFiles)
  const first = await configurations.at(db, 1)
  for (const version of [2, 3, 4]) await configurations.at(db, version)
  expect(await configurations.at(db, 1)).toBe(first)
  // The fifth pushes out the one that was not asked for longest: 2.
  const third = await configurations.at(db, 3)
  await configurations.at(db, 5)
  expect(await configurations.at(db, 1)).toBe(first)
  expect(await configurations.at(db, 3)).toBe(third)
})

test('a version that there is not is an error, and not an empty configuration', async () => {
  const { db, configurations } = await setUp()
  await expect(configurations.at(db, 7)).rejects.toThrow()
})

test('what this version of Tidegate cannot read decides nothing, and says which it is', async () => {
  const { db, configurations } = await setUp()
  await insert(db, 1, { 'people.yaml': 'users: [{ id: alice, wings: 2 }]' })
  await expect(configurations.current(db)).rejects.toThrow(
    /^Configuration 1 cannot be read by this version of Tidegate: people\.yaml:1:9 /,
  )
})
