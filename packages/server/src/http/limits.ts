/** Bounds of the HTTP side, in one place. */

import type { AllowanceLimits, ThrottleLimits } from './throttle.ts'

/**
 * What is asked without a token, such as signing in. A gateway does it every few minutes; behind one address there may be
 * dozens of them, all started at once.
 */
export const strangerLimits: ThrottleLimits = {
  perAddress: { burst: 60, everyMs: 500 },
  together: { burst: 300, everyMs: 20 },
  addresses: 10_000,
}

/**
 * What one principal asks for and does not get at once: it stands in the log and in the lists of approvers all the same.
 * What policy gives is not counted.
 */
export const askLimits: AllowanceLimits = { each: { burst: 60, everyMs: 10_000 }, names: 10_000 }

/** Codes that one person tries, and all together: with 34 bits and ten minutes nobody guesses one. */
export const userCodeLimits: ThrottleLimits = {
  perAddress: { burst: 10, everyMs: 10_000 },
  together: { burst: 200, everyMs: 200 },
  addresses: 10_000,
}
