/** Randomness that replays: the same seed gives the same numbers, on every machine. */

import { createHash } from 'node:crypto'

export type Random = {
  /** From 0, below 1. */
  readonly next: () => number
  /** A whole number from 0, below `count`. */
  readonly below: (count: number) => number
  readonly chance: (probability: number) => boolean
  /** `undefined` for an empty list. */
  readonly pick: <T>(list: readonly T[]) => T | undefined
  readonly bytes: (count: number) => Uint8Array
}

/** sfc32, with its state from a hash: close seeds give streams that have nothing in common. */
export function createRandom(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest()
  let [a, b, c, counter] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at)) as [number, number, number, number]
  const draw = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + t) | 0
    return t >>> 0
  }
  const next = (): number => draw() / 2 ** 32
  const below = (count: number): number => Math.floor(next() * count)
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)],
    bytes: (count) => Uint8Array.from({ length: count }, () => draw() & 0xff),
  }
}
