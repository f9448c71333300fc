/** What a provider says of a sign-in, as far as configuration lets it be believed. */

import type { Authentication, Instant } from '@tidegate/core'
import { earlier, instant } from '@tidegate/core'
import { domainOf } from '../../configuration/identity-rules.ts'
import type { DeclaredProvider } from '../../configuration/schema.ts'
import { identityLimits } from '../limits.ts'

export type Claims = Readonly<Record<string, unknown>>

export type SignedIn = {
  /** What the provider calls them for ever. */
  readonly subject: string
  /** What the provider calls its own session. */
  readonly providerSession?: string
  /** In lower case; verified, and of a domain that this provider is believed about. */
  readonly email?: string
  readonly name?: string
  /** Names as the provider has them. Absent: configuration takes none from sign-ins. */
  readonly groups?: readonly string[]
  readonly authentication: Authentication
}

export function readClaims(provider: DeclaredProvider, claims: Claims, now: Instant): SignedIn {
  const { sub, sid } = claims
  const email = emailOf(provider, claims)
  const name = claims[provider.claims.name]
  const groups = groupsOf(provider, claims)
  return {
    subject: String(sub),
    authentication: authenticationOf(provider, claims, now),
    ...(typeof sid === 'string' && sid !== '' && { providerSession: sid }),
    ...(email !== undefined && { email }),
    ...(typeof name === 'string' && name.length <= 200 && { name }),
    ...(groups && { groups }),
  }
}

/** Nobody is whom an address says that the provider has not verified, or of which it has no say. */
function emailOf({ claims: names, domains }: DeclaredProvider, claims: Claims): string | undefined {
  const email = claims[names.email]
  if (typeof email !== 'string' || email.length > 320 || claims[names.emailVerified] !== true) return undefined
  const domain = domainOf(email)
  return domain !== undefined && domains.includes(domain) ? email.toLowerCase() : undefined
}

/** A claim that is missing or of another kind names no groups: what was held by it ends. */
function groupsOf({ claims: names }: DeclaredProvider, claims: Claims): string[] | undefined {
  if (names.groups === undefined) return undefined
  const list = claims[names.groups]
  if (!Array.isArray(list)) return []
  return [...new Set(list.filter(isGroupName))].slice(0, identityLimits.groupsOfOne)
}

const isGroupName = (name: unknown): name is string =>
  typeof name === 'string' && name.length <= identityLimits.groupName && /^\P{C}+$/u.test(name)

function authenticationOf(provider: DeclaredProvider, claims: Claims, now: Instant): Authentication {
  const amr = Array.isArray(claims['amr']) ? claims['amr'] : []
  const acr = claims['acr']
  const proves = (proof: DeclaredProvider['mfa']): boolean =>
    proof.amr.some((value) => amr.includes(value)) || (typeof acr === 'string' && proof.acr.includes(acr))
  const at = claims['auth_time']
  return {
    method: 'oidc',
    mfa: proves(provider.mfa),
    phishingResistant: proves(provider.phishingResistant),
    at: typeof at === 'number' && Number.isSafeInteger(at) && at >= 0 ? earlier(instant(at * 1_000), now) : instant(0),
  }
}
