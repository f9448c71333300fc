/** RFC 9470: what to sign in with again, for whoever called. */

import type { ApiError } from '@tidegate/api'
import type { Decision } from '@tidegate/core'
import { acrOf } from '../identity/factors/need.ts'
import { factorLimits } from '../identity/factors/limits.ts'

/** The value of `WWW-Authenticate`; `undefined`: signing in again would change nothing. */
export function challengeOf({ code, message, details }: ApiError): string | undefined {
  const decision = details.decision as Decision | undefined
  if (code !== 'step-up-needed' || decision?.outcome !== 'step-up') return undefined
  return [
    'Bearer realm="tidegate"',
    'error="insufficient_user_authentication"',
    `error_description="${quotable(message)}"`,
    `acr_values="${acrOf[decision.need]}"`,
    `max_age="${factorLimits.fresh / 1_000}"`,
  ].join(', ')
}

/** What RFC 6750 lets stand there. Policies write their advice in any words. */
const quotable = (text: string): string => text.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
