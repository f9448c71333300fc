/** Bounds of local accounts, in one place. */

import type { Millis } from '@tidegate/core'
import { days, hours, minutes } from '@tidegate/core'

export const localLimits = {
  /** An invitation is used within this. */
  invitation: days(3),
  /** The one that is printed at the first start. */
  firstInvitation: hours(24),
  /** Servers that start within so long of the first are the first start, too. */
  startTogether: minutes(10),
  /** Characters of a password. */
  passwordShortest: 12,
  passwordLongest: 200,
  /** Passwords that are hashed at once, of the four threads that files and names of hosts are read on as well, */
  hashes: {
    atOnce: 2,
    /** and that wait for it. One more is told to come back. */
    waiting: 200,
  },
  /** Guesses that a password takes, as a power of ten: argon2id, and the wait after wrong ones, are on top of it. */
  guessesLog10: 10,
  /** Characters of it that this is estimated by. */
  estimated: 32,
} as const satisfies Record<string, Millis | number | Record<string, number>>
