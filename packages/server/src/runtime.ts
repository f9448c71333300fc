/** Time and randomness, passed in so that tests and the simulation own both. */

import { randomFillSync } from 'node:crypto'
import type { Id, IdKind, Instant } from '@tidegate/core'
import { instant, makeId } from '@tidegate/core'

export type Runtime = {
  readonly now: () => Instant
  /** Cryptographically random bytes. */
  readonly random: (count: number) => Uint8Array
}

const ahead = new Uint8Array(4_096)
let given = ahead.length

/** Fetched ahead: asking for some bytes costs as much as for thousands, and each entry asks several times. */
function random(count: number): Uint8Array {
  if (count > ahead.length) return randomFillSync(new Uint8Array(count))
  if (given + count > ahead.length) {
    randomFillSync(ahead)
    given = 0
  }
  const bytes = ahead.slice(given, given + count)
  // What is given out is in nobody else's memory.
  ahead.fill(0, given, given + count)
  given += count
  return bytes
}

export const systemRuntime: Runtime = { now: () => instant(Date.now()), random }

export const newId = <K extends IdKind>(runtime: Runtime, kind: K): Id<K> =>
  makeId(kind, runtime.now(), runtime.random(10))
