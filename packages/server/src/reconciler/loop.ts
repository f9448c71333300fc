/** A loop that looks when it is woken, at the next deadline, and every so often anyway. One pass at a time. */

import type { Instant } from '@tidegate/core'

export type Loop = {
  readonly start: () => void
  /** There is something to do at this time: it looks then, or at once if that is over. */
  readonly expect: (at: Instant) => void
  /** Waits for the pass that is running. */
  readonly stop: () => Promise<void>
}

type LoopConfig = {
  readonly pass: () => Promise<void>
  /** When there is something to do next; `undefined`: not known. */
  readonly nextAt: () => Promise<Instant | undefined>
  readonly longestWaitMs: number
  readonly now: () => Instant
  readonly failed: (error: unknown) => void
}

/** After a failed pass it waits this long, so that a store that is down is not hammered. */
const afterFailureMs = 500

/** What a pass leaves although it is due is in another process's hands: looked at again, but not without a pause. */
const heldElsewhereMs = 50

export function createLoop({ pass, nextAt, longestWaitMs, now, failed }: LoopConfig): Loop {
  let running: Promise<void> | undefined
  let again = false
  let stopped = true
  let timer: NodeJS.Timeout | undefined
  /** When the timer goes off, while it is set. */
  let lookAt = Number.POSITIVE_INFINITY

  const wait = (ms: number): void => {
    clearTimeout(timer)
    lookAt = now() + ms
    timer = setTimeout(begin, ms)
  }

  const run = async (): Promise<void> => {
    let pause = afterFailureMs
    try {
      do {
        again = false
        await pass()
      } while (again && !stopped)
      const next = await nextAt()
      const until = next === undefined ? longestWaitMs : next - now()
      pause = until > 0 ? Math.min(longestWaitMs, until) : heldElsewhereMs
    } catch (error) {
      failed(error)
    }
    running = undefined
    if (!stopped) wait(again ? 0 : pause)
  }

  const begin = (): void => {
    clearTimeout(timer)
    if (running) again = true
    else if (!stopped) running = run()
  }

  return {
    start() {
      stopped = false
      begin()
    },
    expect(at) {
      // A pass under way may have looked before this was there to be seen.
      if (running) again = true
      // A clock that was set forward is past a timer that has not gone off. That time is never put off for a later one.
      else if (!stopped && Math.min(at, lookAt) <= now()) wait(0)
      else if (!stopped && at < lookAt) wait(at - now())
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
