/** OpenID Connect Back-Channel Logout 1.0: a provider says that someone is logged out there. */

import type { Millis } from '@tidegate/core'
import { after } from '@tidegate/core'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import type { DeclaredProvider } from '../../configuration/schema.ts'
import type { Unit } from '../../store/change.ts'
import { identityLimits } from '../limits.ts'
import { signatureAlgorithms } from '../signatures.ts'
import { spendToken } from '../spent-tokens.ts'
import type { Providers } from './provider.ts'

/** @property subject and providerSession: at least one of them is there */
export type Logout = { readonly subject?: string; readonly providerSession?: string; readonly tokenId: string }

const event = 'http://schemas.openid.net/event/backchannel-logout'

type Checking = { readonly provider: DeclaredProvider; readonly providers: Providers; readonly now: number }

/** @throws for a token that is not as section 2.6 wants it */
export async function readLogoutToken(token: string, { provider, providers, now }: Checking): Promise<Logout> {
  const { issuer, jwks_uri: keys } = await providers.metadata(provider)
  if (keys === undefined) throw new Error('The provider publishes no keys.')
  const { payload } = await jwtVerify(
    token,
    createRemoteJWKSet(new URL(keys), { timeoutDuration: identityLimits.providerPatience }),
    {
      issuer,
      audience: provider.clientId,
      algorithms: signatureAlgorithms,
      currentDate: new Date(now),
      clockTolerance: identityLimits.skew / 1_000,
      maxTokenAge: identityLimits.logoutToken / 1_000,
      requiredClaims: ['iat', 'jti', 'events'],
    },
  )
  return readPayload(payload)
}

function readPayload(payload: JWTPayload): Logout {
  const { sub, sid, jti, nonce, events } = payload
  const said = isObject(events) && isObject(events[event])
  if (!said) throw new Error('The token is not about a logout.')
  // So that an ID token is never taken for one.
  if (nonce !== undefined) throw new Error('A logout token has no nonce.')
  if (typeof jti !== 'string' || jti === '') throw new Error('The token has no id.')
  const whose = {
    ...(typeof sub === 'string' && sub !== '' && { subject: sub }),
    ...(typeof sid === 'string' && sid !== '' && { providerSession: sid }),
  }
  if (Object.keys(whose).length === 0) throw new Error('The token does not say who is logged out.')
  return { ...whose, tokenId: jti }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** @returns whether it had not been spent before */
export function spend({ tx, now }: Unit, { issuer, tokenId }: { issuer: string; tokenId: string }): Promise<boolean> {
  const kept = (identityLimits.logoutToken + 2 * identityLimits.skew) as Millis
  return spendToken(tx, { name: ['logout', issuer, tokenId], until: after(now, kept) })
}
