/** The time, and what is to happen at one. */

import { type Instant, instant } from '@tidegate/core'

export type Clock = {
  readonly now: () => Instant
  /** Only ever grows, whatever is done to the time of day. For durations. */
  readonly elapsedMs: () => number
  /** Calls back once, not before this time; soon, if it is over. Gives what takes it back. */
  readonly at: (time: Instant, callback: () => void) => () => void
}

/** Looked at again so often: a clock that is set, or a machine that slept, is noticed within this. */
const longestWaitMs = 60_000

export const systemClock: Clock = {
  now: () => instant(Date.now()),
  elapsedMs: () => performance.now(),
  at(time, callback) {
    let timer: NodeJS.Timeout | undefined
    // Timers of Node take at most 24.8 days, and go off at once when asked for more.
    const wait = (): void => {
      const leftMs = time - Date.now()
      timer = leftMs <= 0 ? setTimeout(callback, 0) : setTimeout(look, Math.min(leftMs, longestWaitMs))
    }
    const look = (): void => {
      if (Date.now() >= time) callback()
      else wait()
    }
    wait()
    return () => clearTimeout(timer)
  },
}

/** An alarm that is always about one time, and can be moved. */
export type Alarm = { readonly set: (time: Instant) => void; readonly clear: () => void }

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let cancel: (() => void) | undefined
  const clear = (): void => {
    cancel?.()
    cancel = undefined
  }
  return {
    set(time) {
      clear()
      cancel = clock.at(time, ring)
    },
    clear,
  }
}
