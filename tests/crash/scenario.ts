/** What every scenario does: people at work, an auditor looking, something going wrong, and the verdict afterwards. */

import type { Fleet } from './fleet.ts'
import type { Ledger } from './ledger.ts'
import { createLedger } from './ledger.ts'
import type { Verdict } from './verdict.ts'
import { judge, settle } from './verdict.ts'
import { startWatcher } from './watcher.ts'
import { startWorkload, usualShape } from './workload.ts'

export type Outcome = Verdict & { readonly ledger: Ledger }

type Scenario = {
  readonly name: string
  readonly chaos: (ledger: Ledger) => Promise<void>
  readonly shape?: typeof usualShape
}

/** Prints its figures, which mean something only beside the seed. */
export async function play(fleet: Fleet, { name, chaos, shape = usualShape }: Scenario): Promise<Outcome> {
  const ledger = createLedger()
  const watcher = startWatcher(fleet, ledger)
  const workload = startWorkload(fleet, ledger, shape)
  try {
    await chaos(ledger)
    await fleet.startAll()
    await workload.finish()
  } finally {
    workload.abandon()
    await watcher.stop()
  }
  await settle(fleet)
  const verdict = await judge(fleet, ledger)
  printFigures(name, fleet.seed, verdict.figures)
  return { ...verdict, ledger }
}

export function printFigures(name: string, seed: string, figures: Verdict['figures']): void {
  const lines = Object.entries(figures).map(([what, value]) => `  ${what}: ${value}\n`)
  process.stdout.write(`crash: ${name} (seed ${seed})\n${lines.join('')}`)
}
