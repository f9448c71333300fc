/** What a session comes to: counted beside its recording, and out of what its guard lets through. */

import type { Guard } from '../guard/ruling.ts'
import { createUsage } from '../guard/usage.ts'
import type { SessionEvent } from '../recording/event.ts'
import type { Ended } from './contract.ts'
import { controlLimits as limits } from './limits.ts'

export type Tally = {
  /** Of what is recorded. */
  readonly count: (event: SessionEvent) => void
  readonly watching: (guard: Guard) => Guard
  readonly sum: () => Pick<Ended, 'statements' | 'refused' | 'used'>
}

export function createTally(): Tally {
  const usage = createUsage()
  let statements = 0
  let refused = 0
  let isWatched = false
  return {
    count({ type }) {
      if (type === 'statement') statements += 1
      else if (type === 'refused') refused += 1
    },
    watching(guard) {
      isWatched = true
      return {
        judge(text) {
          const ruling = guard.judge(text)
          if (ruling.ruling !== 'refuse') usage.add(ruling.uses)
          return ruling
        },
      }
    },
    sum: () => ({ statements, refused, ...(isWatched && { used: told(usage.used()) }) }),
  }
}

/** As much as a report has room for. What is left out is counted. */
function told({ tables, left }: ReturnType<ReturnType<typeof createUsage>['used']>): NonNullable<Ended['used']> {
  const all = Object.entries(tables)
  const fitting = all.filter(([table]) => table.length <= limits.usedTableLength)
  const kept = fitting.map(([table, kinds]) => [table, kinds.slice(0, limits.usedKinds)] as const)
  return {
    tables: Object.fromEntries(kept.map(([table, kinds]) => [table, [...kinds]])),
    left: left + all.length - fitting.length,
  }
}
