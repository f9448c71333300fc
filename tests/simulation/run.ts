/** `npm run simulate -- --seed N --steps N --histories N [--trace] [--verbose]` */

import { parseArgs } from 'node:util'
import { openBench } from './bench.ts'
import type { History } from './history.ts'
import { runHistory, shorten } from './history.ts'
import { startStore } from './postgres.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    steps: { type: 'string', default: '80' },
    histories: { type: 'string', default: '100' },
    trace: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
})

const [seed, steps, histories] = [values.seed, values.steps, values.histories].map(Number) as [number, number, number]
console.log(`seed ${seed}, ${histories} histories of ${steps} steps`)

const store = await startStore()
try {
  const bench = await openBench(store.url)
  const totals: Record<string, number> = {}
  const failures = new Map<string, string>()
  const begun = performance.now()
  for (let index = 0; index < histories; index++) {
    // A single history is replayed by its own seed.
    const one = { seed: String(seed + index), count: steps }
    const options = { verbose: values.verbose }
    const history = await runHistory(bench, one, options)
    for (const [what, count] of Object.entries(history.counts)) totals[what] = (totals[what] ?? 0) + count
    if (values.trace) console.log(`${history.trace.join('\n')}\ndigest ${history.digest}`)
    const [problem] = history.problems
    if (!problem) continue
    process.exitCode = 1
    if (values['keep-going']) {
      const kind = `${problem.invariant}: ${problem.what.replaceAll(/[a-z]{3}_\w{26}/g, '…').replaceAll(/\d+/g, 'N')}`
      if (!failures.has(kind)) console.log(`${one.seed}: ${problem.invariant}: ${problem.what}`)
      failures.set(kind, one.seed)
      continue
    }
    report(history, await shorten(bench, history, options))
    break
  }
  const took = (performance.now() - begun) / 1_000
  console.log(`${took.toFixed(1)} s; ${failures.size === 0 ? '' : `${failures.size} kinds of failure; `}what happened:`)
  console.log(
    Object.entries(totals)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => `  ${what} ${count}`)
      .join('\n'),
  )
  await bench.close()
} finally {
  await store.stop()
}

function report(history: History, short: History): void {
  console.log(`FAILED with seed ${history.seed} (of ${history.steps.length} steps, ${short.steps.length} are needed):`)
  for (const { invariant, what } of short.problems.slice(0, 8)) console.log(`  ${invariant}: ${what}`)
  console.log(short.trace.slice(-60).join('\n'))
  console.log(`replay: npm run simulate -- --seed ${history.seed} --steps ${steps} --histories 1 --trace --verbose`)
}
