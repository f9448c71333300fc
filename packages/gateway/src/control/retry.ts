/** Trying again: after how long, and no longer than it is wanted. These are spans of time, whatever a clock says. */

import { controlLimits as limits } from './limits.ts'

/** Exponential with jitter over its upper half. @param failures so far, from 1 */
export function backoffMs(failures: number, random: (count: number) => Uint8Array): number {
  const longest = Math.min(limits.slowestRetryMs, limits.firstRetryMs * 2 ** Math.min(failures - 1, 30))
  const [byte = 0] = random(1)
  return Math.round(longest / 2 + (longest / 2) * (byte / 255))
}

/** Resolves after this long, or at once when the signal is aborted. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })

type Bounds = { readonly ms: number; readonly signal: AbortSignal }

/** Aborts what is asked for when it takes longer, or is not wanted any more. */
export async function within<T>({ ms, signal }: Bounds, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const abort = (): void => controller.abort(new Error('no answer came in time'))
  const timer = setTimeout(abort, ms)
  signal.addEventListener('abort', abort)
  try {
    return await ask(controller.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
