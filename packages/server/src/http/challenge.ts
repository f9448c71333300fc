/** What `WWW-Authenticate` says to whoever is not known, or has to prove more: RFC 6750, RFC 9449 and RFC 9470. */

import type { IncomingHttpHeaders } from 'node:http'
import type { ApiError } from '@tidegate/api'
import type { Decision } from '@tidegate/core'
import { factorLimits } from '../identity/factors/limits.ts'
import type { Need } from '../identity/factors/need.ts'
import { acrOf } from '../identity/factors/need.ts'
import type { Challenge } from '../identity/identity.ts'
import type { ProofDeps } from '../identity/oauth/key-proof.ts'
import { proofAlgorithms, wantsNonce } from '../identity/oauth/key-proof.ts'
import { makeNonce } from '../identity/oauth/proof-nonce.ts'
import type { Runtime } from '../runtime.ts'

const algorithms = `algs="${proofAlgorithms.join(' ')}"`

const schemes = {
  Bearer: (parameters: readonly string[]) => ['Bearer realm="tidegate"', ...parameters].join(', '),
  DPoP: (parameters: readonly string[]) => ['DPoP realm="tidegate"', ...parameters, algorithms].join(', '),
} as const

type Scheme = keyof typeof schemes

/** Programs look for the challenge of the scheme that they use (RFC 9449, section 7.1). */
export const schemeOf = ({ authorization }: IncomingHttpHeaders): Scheme =>
  /^DPoP( |$)/i.test(authorization ?? '') ? 'DPoP' : 'Bearer'

/** Why is said to nobody: only that the token was not taken, and where a right clock is missing, what is in its place. */
export function createChallenge({ runtime, key }: ProofDeps & { readonly runtime: Runtime }): Challenge {
  return ({ headers }) => {
    const when = { key, now: runtime.now() }
    if (headers.authorization === undefined)
      return { 'www-authenticate': [schemes.Bearer([]), schemes.DPoP([])].join(', ') }
    const refused = ['error="invalid_token"']
    if (schemeOf(headers) === 'Bearer')
      return { 'www-authenticate': [schemes.Bearer(refused), schemes.DPoP([])].join(', ') }
    if (!wantsNonce(headers['dpop'], when)) return { 'www-authenticate': schemes.DPoP(refused) }
    return { 'www-authenticate': schemes.DPoP(['error="use_dpop_nonce"']), 'dpop-nonce': makeNonce(when) }
  }
}

/** RFC 9470: what to sign in with again, for whoever called. `undefined`: signing in again would change nothing. */
export function challengeOf(error: ApiError, scheme: Scheme): string | undefined {
  const need = needOf(error)
  if (need === undefined) return undefined
  return schemes[scheme]([
    'error="insufficient_user_authentication"',
    `error_description="${quotable(error.message)}"`,
    `acr_values="${acrOf[need]}"`,
    `max_age="${factorLimits.fresh / 1_000}"`,
  ])
}

function needOf({ code, details }: ApiError): Exclude<Need, 'sign-in'> | undefined {
  const decision = details.decision as Decision | undefined
  if (code !== 'step-up-needed') return undefined
  return details.need ?? (decision?.outcome === 'step-up' ? decision.need : undefined)
}

/** What RFC 6750 lets stand there. Policies write their advice in any words. */
const quotable = (text: string): string => text.replaceAll(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?')
