/** Bounds of local accounts, in one place. */

import type { Millis } from '@tidegate/core'
import { days, hours } from '@tidegate/core'

export const localLimits = {
  /** An invitation is used within this. */
  invitation: days(3),
  /** The one that is printed at the first start. */
  firstInvitation: hours(24),
  /** Characters of a password. */
  passwordShortest: 12,
  passwordLongest: 200,
} as const satisfies Record<string, Millis | number>
