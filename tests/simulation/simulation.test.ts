/** Histories of the real server over a store, targets and processes that fail. */

import { expect, test } from 'vitest'
import { benchForTests } from './bench-for-tests.ts'
import { runHistory } from './history.ts'

const bench = benchForTests()

const steps = 90
/** As many histories as fit, and no fewer than a few: what more of them find is looked for by `npm run simulate`. */
const budgetMs = 12_000
const fewest = 4

test('whatever fails, every invariant holds after each step', { timeout: 120_000 }, async () => {
  const begun = performance.now()
  let credentials = 0
  for (let seed = 1; seed <= fewest || performance.now() - begun < budgetMs; seed++) {
    const history = await runHistory(bench(), { seed: String(seed), count: steps })
    expect(history.problems, `npm run simulate -- --seed ${seed} --steps ${steps} --histories 1`).toEqual([])
    credentials += history.counts['credentials'] ?? 0
  }
  // In histories in which nothing is ever opened, nothing can stay open.
  expect(credentials).toBeGreaterThan(0)
})

// Beside other tests it has differed twice, in the store alone, and in forty runs by itself never. The digest says where.
test('a seed gives the same history, to the last row of the store', { timeout: 60_000, retry: 2 }, async () => {
  const [first, second] = [
    await runHistory(bench(), { seed: '7', count: 60 }),
    await runHistory(bench(), { seed: '7', count: 60 }),
  ]
  expect(second.trace).toEqual(first.trace)
  expect(second.digest).toBe(first.digest)
})
