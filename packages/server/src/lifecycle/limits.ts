/** Bounds of the lifecycle, in one place. */

import type { Millis } from '@tidegate/core'
import { days, seconds } from '@tidegate/core'

export const lifecycleLimits = {
  /** An attempt to open without a result for this long counts as interrupted. Longer than a connector may take. */
  provisioningTimeout: seconds(30),
  /** How long an activation waits for whoever is changing the grant. */
  rowPatience: seconds(2),
  /** A request for a later start may not be further away. */
  furthestStart: days(90),
} as const satisfies Record<string, Millis>
