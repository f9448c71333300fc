/** Bounds of second factors, in one place. */

import type { Millis } from '@tidegate/core'
import { seconds } from '@tidegate/core'

export const factorLimits = {
  /** Whoever proved more this recently is not asked again on the way. */
  fresh: seconds(60),
} as const satisfies Record<string, Millis | number>
