/** RFC 9470, section 4: what a client asks a person to prove before they let it in. */

import type { Authentication, Instant, Millis } from '@tidegate/core'
import { acrOf, isProved, isStrongEnough } from '../factors/need.ts'
import type { Need } from '../factors/need.ts'
import { factorLimits } from '../factors/limits.ts'
import { OAuthError } from './errors.ts'
import type { Form } from './form.ts'

export type Demand = {
  readonly need: Need
  /** How long ago it may have been proved. Absent: that does not count. */
  readonly within?: Millis
}

/** The classes that can be asked for, the stronger ones last. */
export const acrValues = [acrOf.mfa, acrOf['phishing-resistant']] as const

/** `undefined`: nothing beyond who they are. @throws {OAuthError} */
export function readDemand(form: Form): Demand | undefined {
  const need = readAcr(form.get('acr_values'))
  const within = readAge(form.get('max_age'))
  if (need === undefined && within === undefined) return undefined
  return { need: need ?? 'sign-in', ...(within !== undefined && { within }) }
}

/** Of several any one is enough, so that the weakest of those that are known is what it takes. */
function readAcr(text: string | undefined): Need | undefined {
  if (text === undefined) return undefined
  const asked = text.split(' ')
  const weakest = (['mfa', 'phishing-resistant'] as const).find((need) => asked.includes(acrOf[need]))
  if (weakest !== undefined) return weakest
  throw new OAuthError('unmet_authentication_requirements', `The acr_values here are ${acrValues.join(' and ')}.`)
}

/** Less than it takes to come back from proving it would ask for ever. */
function readAge(text: string | undefined): Millis | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,9}$/.test(text)) throw new OAuthError('invalid_request', 'max_age is a number of seconds.')
  return Math.max(Number(text) * 1_000, factorLimits.fresh) as Millis
}

/** The same, as a client writes it. */
export const demandParameters = ({ need, within }: Demand): Record<string, string> => ({
  ...(need !== 'sign-in' && { acr_values: acrOf[need] }),
  ...(within !== undefined && { max_age: String(within / 1_000) }),
})

export const isMet = (authentication: Authentication, { need, within }: Demand, now: Instant): boolean =>
  within === undefined ? isStrongEnough(authentication, need) : isProved(authentication, need, { now, within })
