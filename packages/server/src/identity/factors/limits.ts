/** Bounds of second factors, in one place. */

import type { Millis } from '@tidegate/core'
import { days, hours, minutes, seconds } from '@tidegate/core'

export const factorLimits = {
  /** A ceremony on a page is done within this. */
  challenge: minutes(5),
  /** Whoever proved more this recently is not asked again on the way. */
  fresh: seconds(60),
  /** Factors are added and removed within so long after a proof. */
  managing: minutes(10),
  passkeysOfOne: 20,
  nameLength: 100,
  /** What a browser answers a ceremony with, in characters. */
  answer: 12_000,
  recoveryCodes: 10,
  /** Codes of this many steps before and after now are taken: 30 seconds each. */
  drift: 1,
  /** Wrong guesses that cost nothing, of one person and from one neighbourhood of addresses. */
  freeGuesses: { person: 5, address: 20 },
  /** The wait after the next one. It doubles with each further one, */
  firstWait: seconds(30),
  /** up to this. */
  longestWait: hours(1),
  /** After so long without one they are forgotten. */
  guessesKept: days(1),
} as const satisfies Record<string, Millis | number | Record<string, number>>
