/** RFC 9449, DPoP: that a caller holds a key is proved anew with every request, for that request alone. */

import type { Instant, Millis } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { JWTPayload } from 'jose'
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose'
import type { Reader } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { spendToken } from '../spent-tokens.ts'
import { sha256Url } from './hash.ts'

/** The asymmetric ones that clients of ours use. */
export const proofAlgorithms = ['ES256', 'ES384', 'Ed25519', 'EdDSA'] as const

export type KeyProof = {
  /** RFC 7638. */
  readonly keyThumbprint: string
  readonly id: string
}

/** What it has to be a proof for. */
type Request = {
  readonly method: string
  /** As the client knows it; its query does not count. */
  readonly url: string
  /** The access token that comes with it, where one does. */
  readonly accessToken?: string
  readonly now: Instant
}

/** @returns `undefined` for what does not prove this. It has not been spent yet: `spendProof` */
export async function readProof(
  header: string | string[] | undefined,
  request: Request,
): Promise<KeyProof | undefined> {
  if (typeof header !== 'string' || header.length > 4_000) return undefined
  try {
    const { payload, protectedHeader } = await jwtVerify(header, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: [...proofAlgorithms],
      currentDate: new Date(request.now),
      clockTolerance: identityLimits.keyProof / 1_000,
      maxTokenAge: identityLimits.keyProof / 1_000,
      requiredClaims: ['jti', 'htm', 'htu', 'iat'],
    })
    const { jwk } = protectedHeader
    const { jti } = payload
    if (!jwk || typeof jti !== 'string' || jti.length > 200 || !isFor(payload, request)) return undefined
    return { keyThumbprint: await calculateJwkThumbprint(jwk), id: jti }
  } catch {
    return undefined
  }
}

/** Section 4.3, 8 to 11. */
function isFor({ htm, htu, ath }: JWTPayload, { method, url, accessToken }: Request): boolean {
  if (htm !== method || typeof htu !== 'string' || !URL.canParse(htu)) return false
  if (withoutQuery(htu) !== withoutQuery(url)) return false
  return accessToken === undefined || ath === sha256Url(accessToken)
}

function withoutQuery(text: string): string {
  const { origin, pathname } = new URL(text)
  return `${origin}${pathname}`
}

/** @returns whether it had not been spent before */
export function spendProof(reader: Reader, { keyThumbprint, id }: KeyProof, now: Instant): Promise<boolean> {
  // As old as it may be, made on a clock that is ahead, and looked at on one that is behind.
  const kept = (3 * identityLimits.keyProof) as Millis
  return spendToken(reader, { name: ['dpop', keyThumbprint, id], until: after(now, kept) })
}
