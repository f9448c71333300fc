/** A token that a platform gave to a workload: what it says, if it says it to us, now, and is signed by whoever may. */

import type { Instant } from '@tidegate/core'
import { after, earlier, instant } from '@tidegate/core'
import type { JWTPayload, ProtectedHeaderParameters } from 'jose'
import { decodeJwt, jwtVerify } from 'jose'
import type { DeclaredIssuer, DeclaredService, DeclaredTrust } from '../../configuration/schema.ts'
import type { Snapshot } from '../../configuration/snapshot.ts'
import { identityLimits } from '../limits.ts'
import { signatureAlgorithms } from '../signatures.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import { claimAt, claimText, platformOf, runOf } from './platforms.ts'

export type Workload = {
  readonly issuer: DeclaredIssuer
  readonly subject: string
  readonly audience: string
  readonly claims: JWTPayload
  /** Names the token among all of its issuer’s. */
  readonly tokenId: readonly [kind: 'jti' | 'text', id: string]
  readonly issuedAt: Instant
  /** Nobody takes it after this. */
  readonly usableUntil: Instant
  /** Absent: the token does not say. */
  readonly run?: string
}

type Reading = { readonly snapshot: Snapshot; readonly keys: IssuerKeys; readonly now: Instant }

/** @throws for whatever is not as it must be, in words for the process log */
export async function readWorkloadToken(token: string, { snapshot, keys, now }: Reading): Promise<Workload> {
  if (token.length > identityLimits.workloadTokenBytes) throw new Error('The token is too long.')
  const issuer = issuerOf(snapshot, decodeJwt(token))
  if (!issuer) throw new Error('The token is of an issuer that configuration does not name.')
  const { payload, protectedHeader } = await jwtVerify(token, keys.of(issuer), {
    algorithms: signatureAlgorithms,
    currentDate: new Date(now),
    clockTolerance: identityLimits.skew / 1_000,
    maxTokenAge: issuer.maxAge / 1_000,
    requiredClaims: ['iat', 'exp', 'sub'],
  })
  checkKind(protectedHeader, payload)
  return workloadOf(token, issuer, payload)
}

/** By what it says itself, which nobody believes yet: it only decides with whose keys it is looked at. */
function issuerOf({ declared }: Snapshot, { iss, sub }: JWTPayload): DeclaredIssuer | undefined {
  const { issuers } = declared.identity
  const named = issuers.find(({ issuer }) => issuer === iss)
  // A JWT-SVID need not name its issuer: its trust domain is in the id.
  return named ?? issuers.find(({ issuer }) => issuer.startsWith('spiffe://') && sub?.startsWith(`${issuer}/`) === true)
}

/** Signed by the same keys there may be tokens about other things, and those that people sign in with. */
function checkKind({ typ }: ProtectedHeaderParameters, { nonce }: JWTPayload): void {
  if (typ !== undefined && !/^(jwt|jose)$/i.test(typ)) throw new Error('The token is of another kind.')
  if (nonce !== undefined) throw new Error('The token is of a sign-in of a person.')
}

function workloadOf(token: string, issuer: DeclaredIssuer, claims: JWTPayload): Workload {
  const { sub, aud, iat, exp, jti } = claims
  const [audience, another] = typeof aud === 'string' ? [aud] : (aud ?? [])
  // Whoever else it is for could show it here.
  if (audience === undefined || another !== undefined) throw new Error('The token is not for exactly one audience.')
  if (typeof sub !== 'string' || sub === '' || iat === undefined || exp === undefined)
    throw new Error('The token lacks a subject or its times.')
  const issuedAt = instant(Math.floor(iat * 1_000))
  const end = earlier(instant(Math.floor(exp * 1_000)), after(issuedAt, issuer.maxAge))
  const run = runOf(platformOf(issuer.platform), claims)
  return {
    issuer,
    subject: sub,
    audience,
    claims,
    // Without the signature: of some algorithms there is more than one that is right.
    tokenId: typeof jti === 'string' && jti !== '' ? ['jti', jti] : ['text', token.slice(0, token.lastIndexOf('.'))],
    issuedAt,
    usableUntil: after(end, identityLimits.skew),
    ...(run !== undefined && { run: `${issuer.id}/${run}` }),
  }
}

export type Trusted = { readonly service: DeclaredService; readonly rule: DeclaredTrust }

/** The rules that all of it fits, the first of each service. */
export const trustedAs = ({ declared }: Snapshot, workload: Workload): readonly Trusted[] =>
  declared.services.flatMap((service) => {
    const rule = service.trust.find((one) => fits(one, workload))
    return rule ? [{ service, rule }] : []
  })

const fits = (rule: DeclaredTrust, { issuer, audience, claims, run }: Workload): boolean =>
  rule.issuer === issuer.id &&
  rule.audience === audience &&
  (rule.boundTo === undefined || run !== undefined) &&
  Object.entries(rule.claims).every(([name, value]) => claimText(claimAt(claims, name)) === value)
