/**
 * How many passwords are hashed at once. Each takes 19 MiB and a thread of the few that there are, so whoever sends many
 * waits behind their own, and never with a connection to the store in hand.
 */

import { ApiError } from '@tidegate/api'

export type Hashing = {
  /** @throws {ApiError} `too-many` where enough are waiting already */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>
}

type Most = { readonly atOnce: number; readonly waiting: number }

const retryAfterSeconds = 5

export function createHashing({ atOnce, waiting: most }: Most): Hashing {
  let running = 0
  const waiting: (() => void)[] = []

  const turn = async (): Promise<void> => {
    if (running < atOnce) {
      running += 1
      return
    }
    if (waiting.length >= most)
      throw new ApiError('too-many', { detail: `Try again in ${retryAfterSeconds} s.`, retryAfterSeconds })
    // Whoever is done hands their turn on.
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const done = (): void => {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }
  return {
    async run(work) {
      await turn()
      try {
        return await work()
      } finally {
        done()
      }
    },
  }
}
