import { onTestFinished, expect, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { createTestDatabase } from '../../../../tests/support/databases.ts'
import { loadMigrations, migrate } from './migrate.ts'

async function emptyDatabase() {
  const database = await createTestDatabase('store', { template: 'template1' })
  onTestFinished(() => database.drop())
  const query = async (sql: string) => (await withClient(database.connection, (client) => client.query(sql))).rows
  return { url: database.url, query, ran: () => query('select * from tidegate.migration order by name') }
}

test('migrations are applied in the order of their numbers, and no number is there twice', async () => {
  const numbers = (await loadMigrations()).map(({ name }) => Number(name.slice(0, 3)))
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
})

test('each migration runs once, however often the server starts', async () => {
  const { url, ran } = await emptyDatabase()
  await migrate(url)
  const first = await ran()
  expect(first.map(({ name }) => name)).toEqual((await loadMigrations()).map(({ name }) => name))
  await migrate(url)
  expect(await ran()).toEqual(first)
})

test('servers that start at once on an empty database migrate it once', async () => {
  const { url, ran } = await emptyDatabase()
  await Promise.all(Array.from({ length: 6 }, () => migrate(url)))
  expect(await ran()).toHaveLength((await loadMigrations()).length)
})

test('a migration that ran with another text is refused by its name', async () => {
  const { url, query } = await emptyDatabase()
  await migrate(url)
  await query(`update tidegate.migration set hash = 'another' where name = '001_init.sql'`)
  await expect(migrate(url)).rejects.toThrow('Migration 001_init.sql ran with another text than it has now.')
})

test('a database of a newer Tidegate is refused', async () => {
  const { url, query } = await emptyDatabase()
  await migrate(url)
  await query(`insert into tidegate.migration (name, hash) values ('999_later.sql', 'x')`)
  await expect(migrate(url)).rejects.toThrow('has run migration 999_later.sql, which this version does not know')
})

test('of a migration that fails nothing is kept, and the next start tries again', async () => {
  const { url, query, ran } = await emptyDatabase()
  await query('create schema tidegate')
  await query('create table tidegate.audit_checkpoint ()')
  await expect(migrate(url)).rejects.toThrow('Migration 001_init.sql failed; nothing of it was kept.')
  const tables = await query(`select tablename from pg_tables where schemaname = 'tidegate' order by tablename`)
  expect(tables.map(({ tablename }) => tablename)).toEqual(['audit_checkpoint', 'migration'])
  await query('drop table tidegate.audit_checkpoint')
  await migrate(url)
  expect(await ran()).toHaveLength((await loadMigrations()).length)
})

test('a server that was killed while it migrated does not keep the next one waiting', async () => {
  const { url, query, ran } = await emptyDatabase()
  await query('select pg_advisory_lock(7243001)')
  await migrate(url)
  expect(await ran()).not.toEqual([])
})
