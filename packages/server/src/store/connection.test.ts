import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { storeForTest } from '../testing/store.ts'
import { createNames } from './connection.ts'
import { transaction } from './transaction.ts'
import { eventually } from '../../../../tests/support/eventually.ts'

test('a text that comes often gets a name, the same on every connection, and one that comes seldom none', () => {
  const names = createNames()
  const given = Array.from({ length: 6 }, () => names.of('select $1'))
  expect(given.slice(0, 4)).toEqual([undefined, undefined, undefined, undefined])
  expect(given[4]).toBeDefined()
  expect(given[5]).toBe(given[4])
  expect(names.of('select $1, $2')).toBeUndefined()
})

test('names are bounded, however many texts come however often', () => {
  const names = createNames()
  const given = new Set<string>()
  for (let round = 0; round < 6; round++) {
    for (let text = 0; text < 1_000; text++) {
      const name = names.of(`select ${text}`)
      if (name !== undefined) given.add(name)
    }
  }
  expect(given.size).toBe(150)
})

test('a statement that is asked often is planned once', async () => {
  const { db } = await storeForTest()
  const prepared = await db.connection().execute(async (one) => {
    for (let i = 0; i < 10; i++)
      await one.selectFrom('finding').select('id').where('kind', '=', 'orphan-login').execute()
    const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements`.execute(one)
    return rows.filter(({ statement }) => statement.includes('"finding"'))
  })
  expect(prepared).toHaveLength(1)
})

test('a plan that a change of its table has outdated fails once, and not for ever', async () => {
  const { db } = await storeForTest()
  await sql`create table shape (a int); insert into shape values (1)`.execute(db)
  const look = () => sql`select * from shape where a = ${1}`.execute(db).then(({ rows }) => rows)
  for (let i = 0; i < 10; i++) await look()
  await sql`alter table shape add b int`.execute(db)
  await expect(look()).rejects.toMatchObject({ code: '0A000' })
  // Its connection is closed; whoever comes before that is done still meets it.
  expect(await eventually(look)).toEqual([{ a: 1, b: null }])
})

test('statements of a transaction are sent without waiting for one another, and carried out in their order', async () => {
  const { db } = await storeForTest()
  await sql`create table line (n int)`.execute(db)
  const answered: number[] = []
  await transaction(db, async (tx) => {
    const all = [1, 2, 3].map((n) => sql`insert into line values (${n})`.execute(tx).then(() => answered.push(n)))
    expect(answered).toEqual([])
    return { result: undefined, sent: Promise.all(all) }
  })
  expect(answered).toEqual([1, 2, 3])
  expect((await sql`select n from line order by ctid`.execute(db)).rows).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
})

test('a statement that nobody waited for and that failed leaves nothing of its transaction, and is told', async () => {
  const { db } = await storeForTest()
  await sql`create table line (n int primary key)`.execute(db)
  const twice = transaction(db, async (tx) => ({
    result: 'done',
    sent: Promise.all([1, 1].map((n) => sql`insert into line values (${n})`.execute(tx))),
  }))
  await expect(twice).rejects.toMatchObject({ code: '23505' })
  expect((await sql`select n from line`.execute(db)).rows).toEqual([])
})
