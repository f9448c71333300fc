/** Bounds of statements that people are asked about, in one place. */

import type { Millis } from '@tidegate/core'
import { seconds } from '@tidegate/core'

export const statementLimits = {
  /** Of one grant, within `askedWithin`: a client in a loop fills neither the log nor a list. */
  asked: 60,
  askedWithin: seconds(600),
  /** How many that are pending are looked through for those that the caller can answer. */
  pendingLookedAt: 2_000,
  settledAtOnce: 200,
} as const satisfies Record<string, Millis | number>
