/** Waiting for what must become so: looked at again and again, up to a bound. */

import { setTimeout as delay } from 'node:timers/promises'

const lookAgainMs = 40

type Bound = {
  /** What is waited for: said when it does not come. */
  readonly what: string
  readonly withinMs: number
}

/**
 * @param look throws, or answers `undefined` or `false`, for as long as it is not yet so
 * @throws what it last saw, when the time is over
 */
export async function eventually<T>({ what, withinMs }: Bound, look: () => Promise<T> | T): Promise<NonNullable<T>> {
  const until = performance.now() + withinMs
  let last: unknown = 'nothing'
  for (;;) {
    try {
      const seen = await look()
      if (seen !== undefined && seen !== null && seen !== false) return seen
      last = seen
    } catch (error) {
      last = error
    }
    if (performance.now() > until) throw new Error(`Not within ${withinMs} ms: ${what}.`, { cause: last })
    await delay(lookAgainMs)
  }
}

/** For what is looked at until it is empty: what is left says why it is not. */
export async function eventuallyNone(bound: Bound, look: () => Promise<readonly unknown[]>): Promise<void> {
  await eventually(bound, async () => {
    const left = await look()
    if (left.length > 0) throw new Error(JSON.stringify(left.slice(0, 5)))
    return true
  })
}
