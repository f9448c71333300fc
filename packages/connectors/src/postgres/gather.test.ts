import { expect, test } from 'vitest'
import { gather } from './gather.ts'

/** Each call is answered by the test. */
function held() {
  const calls: { readonly keys: readonly string[]; readonly answer: () => void; readonly fail: () => void }[] = []
  const together = (keys: readonly string[]) =>
    new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      calls.push({
        keys,
        answer: () => resolve(new Map(keys.map((key) => [key, key.toUpperCase()]))),
        fail: () => reject(new Error('lost')),
      })
    })
  return { calls, together }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('what is asked for in one turn goes together, what comes meanwhile goes next', async () => {
  const { calls, together } = held()
  const ask = gather({ together, patienceMs: 60_000 })
  const first = [ask('a'), ask('b'), ask('a')]
  await turn()
  const second = [ask('c'), ask('a'), ask('d')]
  await turn()
  expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b']])
  calls[0]?.answer()
  expect(await Promise.all(first)).toEqual(['A', 'B', 'A'])
  await turn()
  expect(calls.map(({ keys }) => keys)).toEqual([
    ['a', 'b'],
    ['c', 'a', 'd'],
  ])
  calls[1]?.answer()
  expect(await Promise.all(second)).toEqual(['C', 'A', 'D'])
})

test('one that does not come back holds nobody up for long', async () => {
  const { calls, together } = held()
  const ask = gather({ together, patienceMs: 1 })
  const stuck = ask('a')
  await turn()
  const next = ask('b')
  await expect.poll(() => calls.length).toBe(2)
  calls[1]?.answer()
  expect(await next).toBe('B')
  calls[0]?.fail()
  await expect(stuck).rejects.toThrow('lost')
})

test('after a failure it goes on', async () => {
  const { calls, together } = held()
  const ask = gather({ together, patienceMs: 60_000 })
  const failing = ask('a')
  await turn()
  const waiting = ask('b')
  calls[0]?.fail()
  await expect(failing).rejects.toThrow('lost')
  await expect.poll(() => calls.length).toBe(2)
  calls[1]?.answer()
  expect(await waiting).toBe('B')
})

test('more than may go together go beside each other', async () => {
  const { calls, together } = held()
  const ask = gather({ together, patienceMs: 60_000, most: 2 })
  const asked = ['a', 'b', 'c', 'd', 'e'].map((key) => ask(key))
  await turn()
  expect(calls.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c', 'd'], ['e']])
  for (const { answer } of calls) answer()
  expect(await Promise.all(asked)).toEqual(['A', 'B', 'C', 'D', 'E'])
})
