import { ApiError } from '@tidegate/api'
import { days, instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import { storeForTest } from '../testing/store.ts'
import type { Keyed } from './idempotency.ts'
import { once, readKey } from './idempotency.ts'

const keyed: Keyed = { principal: 'user:alice', key: 'k1', operation: 'fileRequest', input: { role: 'a/b', n: 1 } }

async function setUp() {
  const { db, runtime } = await storeForTest()
  let runs = 0
  const work = async (): Promise<{ run: number }> => ({ run: ++runs })
  const call = (changes: Partial<Keyed> = {}, doing: (unit: Unit) => Promise<unknown> = work): Promise<unknown> =>
    change({ db, runtime }, (unit) => once(unit, { ...keyed, ...changes }, () => doing(unit)))
  return { db, call, runs: () => runs }
}

test('the same key and input is done once, and answered the same each time', async () => {
  const { call, runs } = await setUp()
  expect([await call(), await call(), await call()]).toEqual([{ run: 1 }, { run: 1 }, { run: 1 }])
  expect(runs()).toBe(1)
})

test('the same input is the same in whatever order its fields come', async () => {
  const { call, runs } = await setUp()
  await call({ input: { role: 'a/b', n: 1, inner: { x: 1, y: undefined } } })
  await call({ input: { inner: { x: 1 }, n: 1, role: 'a/b' } })
  expect(runs()).toBe(1)
})

test('many calls at once with one key are one call', async () => {
  const { call, runs } = await setUp()
  const answers = await Promise.all(Array.from({ length: 8 }, () => call()))
  expect(answers).toEqual(answers.map(() => ({ run: 1 })))
  expect(runs()).toBe(1)
})

test('another key, and the same key of another principal, is another call', async () => {
  const { call, runs } = await setUp()
  await call()
  await call({ key: 'k2' })
  await call({ principal: 'user:bob' })
  expect(runs()).toBe(3)
})

test.each([
  ['another input', { input: { role: 'a/c', n: 1 } }],
  ['another operation', { operation: 'applyConfig' }],
])('a key that was used for %s is refused, and nothing is done', async (_what, changes) => {
  const { call, runs } = await setUp()
  await call()
  await expect(call(changes)).rejects.toMatchObject({ code: 'idempotency-mismatch' })
  expect(runs()).toBe(1)
})

test('a call that failed left nothing, so its key is free for the next try', async () => {
  const { call, runs } = await setUp()
  const failing = call({}, async () => {
    throw new ApiError('policy-refuses')
  })
  await expect(failing).rejects.toMatchObject({ code: 'policy-refuses' })
  expect(await call()).toEqual({ run: 1 })
  expect(runs()).toBe(1)
})

test('the answer is kept with what was done: both, or neither', async () => {
  const { db, call } = await setUp()
  const insert = async ({ tx }: Unit): Promise<string> => {
    const now = new Date(instant(0))
    const values = { name: 'device', subject: 'user:alice', value: '{}', source: 'test', observedAt: now, staleAt: now }
    await tx.insertInto('signal').values(values).execute()
    return 'done'
  }
  await expect(call({ key: 'a' }, insert)).resolves.toBe('done')
  // A second time the row is there already: the whole call fails, its key with it.
  await expect(call({ key: 'b' }, insert)).rejects.toMatchObject({ code: '23505' })
  expect(await db.selectFrom('idempotency').select('key').execute()).toEqual([{ key: 'a' }])
})

test('a key is 1 to 128 visible ASCII characters, sent once, or absent', () => {
  expect(readKey(undefined)).toBeUndefined()
  for (const good of ['k', 'a'.repeat(128), '!~']) expect(readKey(good)).toBe(good)
  for (const bad of ['', 'a'.repeat(129), 'a b', 'ä', 'a\n', ['a', 'b']])
    expect(() => readKey(bad), JSON.stringify(bad)).toThrow(expect.objectContaining({ code: 'invalid-input' }))
})

test('what is kept carries the time of its change, by which it is thrown away', async () => {
  const { db, call } = await setUp()
  await call()
  const { at } = await db.selectFrom('idempotency').select('at').executeTakeFirstOrThrow()
  expect(Date.now() - at).toBeLessThan(days(1))
})
