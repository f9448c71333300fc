/** What a session comes to: counted beside its recording, and out of what its guard lets through. */

import type { Guard } from '../guard/ruling.ts'
import { createUsage } from '../guard/usage.ts'
import type { SessionEvent, SessionRecorder } from '../recording/event.ts'
import type { Ended } from './contract.ts'
import { controlLimits as limits } from './limits.ts'

type RefusedEvent = Extract<SessionEvent, { type: 'refused' }>

export type Tally = {
  /** @param refused is told of each statement that is refused */
  readonly counting: (recorder: SessionRecorder, refused: (event: RefusedEvent) => void) => SessionRecorder
  readonly watching: (guard: Guard) => Guard
  readonly sum: () => Pick<Ended, 'statements' | 'refused' | 'used'>
}

export function createTally(): Tally {
  const usage = createUsage()
  let statements = 0
  let refused = 0
  let isWatched = false
  return {
    counting: (recorder, refusedOne) => ({
      ...recorder,
      record(event) {
        if (event.type === 'statement') statements += 1
        else if (event.type === 'refused') {
          refused += 1
          refusedOne(event)
        }
        recorder.record(event)
      },
    }),
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
