/** Bounds of keys, in one place. */

import { minutes } from '@tidegate/core'

export const keyLimits = {
  /** Values that are sealed anew in one transaction. */
  atOnce: 200,
  /** How often a server looks whether the store has another key, and seals anew what has not been. */
  every: minutes(1),
  /** No page, cookie or nonce that a master key sealed counts for longer. */
  sealedElsewhere: minutes(15),
} as const
