/** RFC 9449, DPoP: that a caller holds a key is proved anew with every request, for that request alone. */

import type { Instant, Millis } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { JWTPayload, JWTVerifyOptions } from 'jose'
import { calculateJwkThumbprint, decodeJwt, EmbeddedJWK, jwtVerify } from 'jose'
import type { MasterKey } from '../../secrets/envelope.ts'
import type { Reader } from '../../store/database.ts'
import { identityLimits } from '../limits.ts'
import { spendToken } from '../spent-tokens.ts'
import { sha256Url } from './hash.ts'
import { isNonceGood } from './proof-nonce.ts'

/** The asymmetric ones that clients of ours use. */
export const proofAlgorithms = ['ES256', 'ES384', 'Ed25519', 'EdDSA'] as const

export type KeyProof = {
  /** RFC 7638. */
  readonly keyThumbprint: string
  readonly id: string
}

/** Of this server, which knows its own nonces by it. */
export type ProofDeps = { readonly key: MasterKey }

/** What it has to be a proof for. */
type Request = ProofDeps & {
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
      requiredClaims: ['jti', 'htm', 'htu', 'iat'],
      ...timesFor(decodeJwt(header), request),
    })
    const { jwk } = protectedHeader
    if (payload['nonce'] !== undefined && !isOfNow(payload, request)) return undefined
    const { jti } = payload
    if (!jwk || typeof jti !== 'string' || jti.length > 200 || !isFor(payload, request)) return undefined
    return { keyThumbprint: await calculateJwkThumbprint(jwk), id: jti }
  } catch {
    return undefined
  }
}

type When = Pick<Request, 'now' | 'key'>

/** By a nonce of ours the moment is known better than by the clock of whoever made the proof. */
const timesFor = ({ nonce }: JWTPayload, { now }: When): JWTVerifyOptions => ({
  currentDate: new Date(now),
  clockTolerance: identityLimits.keyProof / 1_000,
  ...(nonce === undefined && { maxTokenAge: identityLimits.keyProof / 1_000 }),
})

const isOfNow = ({ nonce }: JWTPayload, when: When): boolean => typeof nonce === 'string' && isNonceGood(nonce, when)

/** Whether a proof that was refused may be a good one with a nonce of ours: the time that it says is not now. */
export function wantsNonce(header: string | string[] | undefined, when: When): boolean {
  try {
    const payload = decodeJwt(String(header))
    if (payload['nonce'] !== undefined) return !isOfNow(payload, when)
    return Math.abs((payload.iat ?? Number.NaN) * 1_000 - when.now) > identityLimits.keyProof
  } catch {
    return false
  }
}

/** Section 4.3, 8 and 9, and 12. */
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
  // As old as it, or its nonce, may be, made on a clock that is ahead, and looked at on one that is behind.
  const kept = (3 * identityLimits.keyProof) as Millis
  return spendToken(reader, { name: ['dpop', keyThumbprint, id], until: after(now, kept) })
}
