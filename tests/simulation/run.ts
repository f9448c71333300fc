/** The command of the simulation: `npm run simulate -- --help` says what it takes. */

import { openBench } from './bench.ts'
import type { History } from './history.ts'
import { runHistory, shorten } from './history.ts'
import type { Options } from './options.ts'
import { readOptions } from './options.ts'
import { findPlanted, plantedBugs } from './planted.ts'
import { startStore } from './postgres.ts'
import { faultKinds } from './strands.ts'
import { scenes, sweep } from './sweep.ts'
import type { Bench } from './world.ts'

const options = readOptions(process.argv.slice(2), Date.now())
if ('exit' in options) {
  console[options.exit === 0 ? 'log' : 'error'](options.text)
  process.exitCode = options.exit
} else await run(options)

async function run(options: Options): Promise<void> {
  const store = await startStore()
  try {
    const bench = await openBench(store.url)
    if (options.what === 'planted') await plantEach(bench, options)
    else if (options.what === 'sweep') await sweepAll(bench)
    else await play(bench, options)
    await bench.close()
  } finally {
    await store.stop()
  }
}

async function play(bench: Bench, { seed, steps, histories, trace, verbose, keepGoing }: Options): Promise<void> {
  console.log(`seed ${seed}, ${histories} histories of ${steps} steps`)
  const totals: Record<string, number> = {}
  const failures = new Map<string, string>()
  const begun = performance.now()
  for (let index = 0; index < histories; index++) {
    // A single history is replayed by its own seed.
    const one = { seed: String(seed + index), count: steps }
    const history = await runHistory(bench, one, { verbose })
    for (const [what, count] of Object.entries(history.counts)) totals[what] = (totals[what] ?? 0) + count
    if (trace) console.log(`${history.trace.join('\n')}\ndigest ${history.digest}`)
    if ((index + 1) % 100 === 0) console.log(`${index + 1} histories`)
    const [problem] = history.problems
    if (!problem) continue
    process.exitCode = 1
    if (keepGoing) {
      const kind = `${problem.invariant}: ${problem.what.replaceAll(/[a-z]{3}_\w{26}/g, '…').replaceAll(/\d+/g, 'N')}`
      if (!failures.has(kind)) console.log(`${one.seed}: ${problem.invariant}: ${problem.what}`)
      failures.set(kind, one.seed)
      continue
    }
    report(history, await shorten(bench, history, { verbose }))
    break
  }
  const took = (performance.now() - begun) / 1_000
  console.log(`${took.toFixed(1)} s; ${failures.size === 0 ? '' : `${failures.size} kinds of failure; `}what happened:`)
  for (const [what, count] of Object.entries(totals).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${what} ${count}`)
}

/** For each planted bug the first seed, from the one that it names, in which it is told by its invariant. */
async function plantEach(bench: Bench, { histories }: Options): Promise<void> {
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
  console.log(
    `replay: npm run simulate -- --seed ${history.seed} --steps ${history.steps.length} --histories 1 --trace --verbose`,
  )
}
