/** A loop that looks when it is woken, at the next deadline, and every so often anyway. One pass at a time. */

import type { Instant } from '@tidegate/core'

export type Loop = {
  readonly start: () => void
  readonly wake: () => void
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

export function createLoop({ pass, nextAt, longestWaitMs, now, failed }: LoopConfig): Loop {
  let running: Promise<void> | undefined
  let again = false
  let stopped = true
  let timer: NodeJS.Timeout | undefined

  const run = async (): Promise<void> => {
    let wait = afterFailureMs
    try {
      do {
        again = false
        await pass()
      } while (again && !stopped)
      const next = await nextAt()
      wait = Math.max(0, Math.min(longestWaitMs, next === undefined ? longestWaitMs : next - now()))
    } catch (error) {
      failed(error)
    }
    running = undefined
    if (!stopped) timer = setTimeout(begin, again ? 0 : wait)
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
    wake: begin,
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}
