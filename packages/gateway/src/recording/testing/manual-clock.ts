/** A clock that stands still until it is told to move, and wakes whoever is due on the way. For tests only. */

import { instant } from '@tidegate/core'
import type { Clock } from '../clock.ts'

export type ManualClock = Clock & {
  readonly advance: (ms: number) => void
  /** How many wait to be woken. */
  readonly timers: () => number
}

export function manualClock(start: number = Date.UTC(2026, 2, 1, 9, 30)): ManualClock {
  let now = start
  const timers = new Set<{ readonly at: number; readonly call: () => void }>()
  const next = (until: number): { readonly at: number; readonly call: () => void } | undefined =>
    [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0]
  return {
    now: () => instant(now),
    after(ms, call) {
      const timer = { at: now + ms, call }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance(ms) {
      const until = now + ms
      for (let timer = next(until); timer !== undefined; timer = next(until)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.call()
      }
      now = until
    },
    timers: () => timers.size,
  }
}
