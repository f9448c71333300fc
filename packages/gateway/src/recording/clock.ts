/** Time, and waking up: passed in, so that tests own both. */

import { instant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'

export type Clock = {
  readonly now: () => Instant
  /** Calls once, that much later. What is returned takes it back. */
  readonly after: (ms: number, call: () => void) => () => void
}

/** Keeps no process alive: whoever ends in good order ends its recordings. */
export const systemClock: Clock = {
  now: () => instant(Date.now()),
  after: (ms, call) => {
    const timer = setTimeout(call, ms).unref()
    return () => clearTimeout(timer)
  },
}

export type DueQueue<T> = {
  /** Its turn comes after the delay. */
  readonly add: (item: T) => void
  readonly stop: () => void
}

type Waits = {
  readonly delayMs: number
  /** Whoever is due so soon after the first goes along, and has waited for less. */
  readonly togetherMs?: number
}

/**
 * Everything that waits for the same length of time: first in, first due, with one timer however many there are and
 * none when there is nothing.
 */
export function createDueQueue<T>(
  clock: Clock,
  { delayMs, togetherMs = 0 }: Waits,
  due: (item: T) => void,
): DueQueue<T> {
  const waiting: { readonly item: T; readonly at: number }[] = []
  let disarm: (() => void) | undefined

  const arm = (ms: number): void => {
    disarm = clock.after(ms, ring)
  }
  const ring = (): void => {
    disarm = undefined
    const now = clock.now()
    // A clock that was set back would keep them for as long: what waits for more than the delay is due as well.
    const isDue = ({ at }: { readonly at: number }): boolean => at <= now + togetherMs || at > now + delayMs
    const count = waiting.findIndex((one) => !isDue(one))
    const ready = waiting.splice(0, count < 0 ? waiting.length : count)
    const [next] = waiting
    if (next !== undefined) arm(next.at - now)
    for (const { item } of ready) due(item)
  }

  return {
    add(item) {
      waiting.push({ item, at: clock.now() + delayMs })
      if (disarm === undefined) arm(delayMs)
    },
    stop() {
      disarm?.()
      disarm = undefined
      waiting.length = 0
    },
  }
}
