import { type Instant, instant } from '@tidegate/core'
import type { Clock } from '../shell/clock.ts'

/** Stands still until it is told to go on; what is due then happens, in order. */
export type TestClock = Clock & { readonly advance: (ms: number) => void }

export function createTestClock(start: number = Date.UTC(2026, 0, 5, 9)): TestClock {
  let time = start
  const due = new Set<{ readonly at: Instant; readonly callback: () => void }>()

  const ring = (): void => {
    const over = [...due].filter(({ at }) => at <= time).toSorted((a, b) => a.at - b.at)
    for (const alarm of over) if (due.delete(alarm)) alarm.callback()
  }
  return {
    now: () => instant(time),
    elapsedMs: () => performance.now(),
    at(at, callback) {
      const alarm = { at, callback }
      due.add(alarm)
      if (at <= time) setImmediate(ring)
      return () => void due.delete(alarm)
    },
    advance(ms) {
      time += ms
      ring()
    },
  }
}
