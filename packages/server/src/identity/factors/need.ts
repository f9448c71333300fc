/** What a step-up has to prove, in the words of decisions and of OpenID providers, and whether it has been proved. */

import type { Authentication, Instant, Millis } from '@tidegate/core'
import { after } from '@tidegate/core'

/** `sign-in`: the same as before, anew. */
export const needs = ['sign-in', 'mfa', 'phishing-resistant'] as const

export type Need = (typeof needs)[number]

/** The classes of RFC 9470's `acr_values`. `phr` is that of OpenID's EAP. */
export const acrOf = { mfa: 'mfa', 'phishing-resistant': 'phr' } as const

/** The class of what was proved; `undefined`: of none of these. */
export const acrOfProof = ({ mfa, phishingResistant }: Authentication): string | undefined =>
  phishingResistant ? acrOf['phishing-resistant'] : mfa ? acrOf.mfa : undefined

export const readNeed = (text: unknown): Need | undefined => needs.find((need) => need === text)

export const isStrongEnough = ({ mfa, phishingResistant }: Authentication, need: Need): boolean => {
  if (need === 'sign-in') return true
  return need === 'mfa' ? mfa || phishingResistant : phishingResistant
}

type When = { readonly now: Instant; readonly within: Millis }

/** Proved, and lately. */
export const isProved = (authentication: Authentication, need: Need, { now, within }: When): boolean =>
  isStrongEnough(authentication, need) && now < after(authentication.at, within)
