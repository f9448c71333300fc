/** Time and randomness, passed in so that tests and the simulation own both. */

import { randomBytes } from 'node:crypto'
import type { Id, IdKind, Instant } from '@tidegate/core'
import { instant, makeId } from '@tidegate/core'

export type Runtime = {
  readonly now: () => Instant
  /** Cryptographically random bytes. */
  readonly random: (count: number) => Uint8Array
}

export const systemRuntime: Runtime = {
  now: () => instant(Date.now()),
  random: (count) => randomBytes(count),
}

export const newId = <K extends IdKind>(runtime: Runtime, kind: K): Id<K> =>
  makeId(kind, runtime.now(), runtime.random(10))
