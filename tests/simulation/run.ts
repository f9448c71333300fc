/**
 * `npm run simulate -- --seed N --steps N --histories N [--trace] [--verbose] [--keep-going]`
 * `npm run simulate -- --planted`
 * `npm run simulate -- --sweep`
 */

import { parseArgs } from 'node:util'
import { openBench } from './bench.ts'
import type { History } from './history.ts'
import { runHistory, shorten } from './history.ts'
import { findPlanted, plantedBugs } from './planted.ts'
import { startStore } from './postgres.ts'
import { faultKinds } from './strands.ts'
import { scenes, sweep } from './sweep.ts'
import type { Bench } from './world.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    steps: { type: 'string', default: '80' },
    histories: { type: 'string', default: '100' },
    trace: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
    planted: { type: 'boolean', default: false },
    sweep: { type: 'boolean', default: false },
  },
})

const [seed, steps, histories] = [values.seed, values.steps, values.histories].map(Number) as [number, number, number]

const store = await startStore()
try {
  const bench = await openBench(store.url)
  if (values.planted) await plantEach(bench)
  else if (values.sweep) await sweepAll(bench)
  else await play(bench)
  await bench.close()
} finally {
  await store.stop()
}

async function play(bench: Bench): Promise<void> {
  console.log(`seed ${seed}, ${histories} histories of ${steps} steps`)
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
    if ((index + 1) % 100 === 0) console.log(`${index + 1} histories`)
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
  for (const [what, count] of Object.entries(totals).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${what} ${count}`)
}

/** For each planted bug the first seed, from the one that it names, in which it is told by its invariant. */
async function plantEach(bench: Bench): Promise<void> {
  for (const [name, bug] of Object.entries(plantedBugs)) {
    const found = await findPlanted(bench, bug, histories)
    if (!found) process.exitCode = 1
    console.log(`${found ? `seed ${found.seed}` : 'NOT FOUND'}: ${name}: ${found?.problems[0]?.what ?? bug.caughtBy}`)
  }
}

/** Every fault at every thing that every kind of work sends. */
async function sweepAll(bench: Bench): Promise<void> {
  for (const scene of Object.keys(scenes)) {
    for (const how of faultKinds) {
      const swept = await sweep(bench, { scene, how })
      const failed = swept.filter(({ problems }) => problems.length > 0)
      if (failed.length > 0) process.exitCode = 1
      console.log(`${scene}, ${how}: ${swept.length} strikes, ${failed.length} failed`)
      for (const { fault, problems } of failed)
        console.log(`  at ${fault.at}: ${problems[0]?.invariant}: ${problems[0]?.what}`)
    }
  }
}

function report(history: History, short: History): void {
  console.log(`FAILED with seed ${history.seed} (of ${history.steps.length} steps, ${short.steps.length} are needed):`)
  for (const { invariant, what } of short.problems.slice(0, 8)) console.log(`  ${invariant}: ${what}`)
  console.log(short.trace.slice(-60).join('\n'))
  console.log(`replay: npm run simulate -- --seed ${history.seed} --steps ${steps} --histories 1 --trace --verbose`)
}
