/** `private_key_jwt` (RFC 7523, section 2.2): a service signs with a key of its own, whose public half we are told. */

import type { JWK } from 'jose'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import type { DeclaredService } from '../../configuration/schema.ts'
import { after, instant } from '@tidegate/core'
import type { Unit } from '../../store/change.ts'
import { change } from '../../store/change.ts'
import { identityLimits } from '../limits.ts'
import { fingerprint } from '../machines/proof.ts'
import type { OAuthDeps, TokenAnswer, TokenRequest } from '../oauth/grant-type.ts'
import { signatureAlgorithms } from '../signatures.ts'
import { spendToken } from '../spent-tokens.ts'
import type { Admission } from './admit.ts'
import { admit, refused } from './admit.ts'

type Signing = {
  readonly asked: TokenRequest
  readonly assertion: string
  readonly service: DeclaredService
  /** Where this server is: one of these, and nobody beside it, is whom it has to be for. */
  readonly audiences: readonly string[]
}

/** The service that it says it is of, if that has keys: nobody believes it yet. */
export function claimsService(services: readonly DeclaredService[], assertion: string): DeclaredService | undefined {
  const { iss } = decodeJwt(assertion)
  return services.find(({ id, keys }) => id === iss && keys.length > 0)
}

/** @throws {OAuthError} `invalid_client` */
export async function admitByKey(deps: OAuthDeps, signing: Signing): Promise<TokenAnswer> {
  const signed = await readAssertion(deps, signing).catch((error: unknown) => {
    throw refused('invalid_client', error)
  })
  const { asked } = signing
  const answer = await change(deps, async (unit) =>
    (await spend(unit, signed)) ? admit(deps, unit, { asked, admission: signed.admission }) : undefined,
  )
  if (!answer) throw refused('invalid_client', new Error('The assertion was used before, or its service is gone.'))
  return answer
}

type Signed = { readonly admission: Admission; readonly id: string }

async function readAssertion({ runtime }: OAuthDeps, { assertion, service, audiences }: Signing): Promise<Signed> {
  const now = runtime.now()
  const good = service.keys.filter(({ expires }) => now < expires)
  for (const { jwk, expires } of good) {
    const verified = await verify(assertion, { jwk, service, now }).catch((error: unknown) => {
      // Another key of the service may fit; anything else is wrong with whatever key.
      if (isOfOtherKey(error)) return undefined
      throw error
    })
    if (!verified) continue
    const { aud, iat = 0, jti } = verified.payload
    if (typeof aud !== 'string' || !audiences.includes(aud)) throw new Error('The assertion is for somebody else.')
    if (typeof jti !== 'string' || jti === '' || jti.length > 500) throw new Error('The assertion has no id.')
    const proof = { by: 'key', key: fingerprint(jwk) } as const
    const authentication = { method: 'key', at: instant(Math.floor(iat * 1_000)) } as const
    const lasts = identityLimits.machineLoginUsual
    return { id: jti, admission: { service: service.id, proof, authentication, lasts, noLongerThan: expires } }
  }
  throw new Error('No key of the service that is still good fits.')
}

const isOfOtherKey = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  (error.code === 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' || error.code === 'ERR_JWKS_NO_MATCHING_KEY')

type Verifying = {
  readonly jwk: Readonly<Record<string, unknown>>
  readonly service: DeclaredService
  readonly now: number
}

const verify = (assertion: string, { jwk, service, now }: Verifying) =>
  jwtVerify(assertion, createLocalJWKSet({ keys: [jwk as unknown as JWK] }), {
    algorithms: signatureAlgorithms,
    issuer: service.id,
    subject: service.id,
    currentDate: new Date(now),
    clockTolerance: identityLimits.skew / 1_000,
    maxTokenAge: identityLimits.clientAssertion / 1_000,
    requiredClaims: ['iat', 'exp', 'aud', 'jti'],
  })

function spend({ tx, now }: Unit, { admission, id }: Signed): Promise<boolean> {
  const until = after(after(now, identityLimits.clientAssertion), identityLimits.skew)
  return spendToken(tx, { name: ['client-assertion', admission.service, id], until: after(until, identityLimits.skew) })
}
