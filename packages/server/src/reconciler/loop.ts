/** A loop that looks when it is woken, at the next deadline, and every so often anyway. One pass at a time. */

import type { Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'

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

type Regular = { readonly every: number; readonly work: () => Promise<void> } & Pick<LoopConfig, 'now' | 'failed'>

export function everySoOften({ every, work, now, failed }: Regular): Loop {
  let next = instant(now() + every)
  return createLoop({
    async pass() {
      if (now() < next) return
      next = instant(now() + every)
      await work()
    },
    nextAt: async () => next,
    longestWaitMs: every,
    now,
    failed,
  })
}

/** After a failed pass it waits this long, so that a store that is down is not hammered. */
const afterFailureMs = 500

/** What a pass leaves although it is due is in another process's hands: looked at again, but not without a pause. */
const heldElsewhereMs = 50

export function createLoop({ pass, nextAt, longestWaitMs, now, failed }: LoopConfig): Loop {
  let running: Promise<void> | undefined
  let stopped = true
  let timer: NodeJS.Timeout | undefined
  /** When the timer goes off, while it is set. */
  let lookAt = Number.POSITIVE_INFINITY
  /** The earliest that was told during a pass: it may have looked before that was there to be seen. */
  let told = Number.POSITIVE_INFINITY

  const wait = (ms: number): void => {
    clearTimeout(timer)
    lookAt = now() + ms
    timer = setTimeout(begin, ms)
  }

  const run = async (): Promise<void> => {
    told = Number.POSITIVE_INFINITY
    let pause = afterFailureMs
    try {
      await pass()
      const next = await nextAt()
      const until = next === undefined ? longestWaitMs : next - now()
      pause = until > 0 ? Math.min(longestWaitMs, until) : heldElsewhereMs
      pause = Math.max(0, Math.min(pause, told - now()))
    } catch (error) {
      failed(error)
    }
    running = undefined
    if (!stopped) wait(pause)
  }

  const begin = (): void => {
    clearTimeout(timer)
    if (running) told = Math.min(told, now())
    else if (!stopped) running = run()
  }

  return {
    start() {
      stopped = false
      begin()
    },
    expect(at) {
      if (running) told = Math.min(told, at)
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
