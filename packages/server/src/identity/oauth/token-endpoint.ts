/** The token endpoint of RFC 6749: one form in, one token or refusal out. */

import type { Instant } from '@tidegate/core'
import { OAuthError } from './errors.ts'
import { required } from './form.ts'
import type { OAuthDeps, TokenAnswer, TokenRequest } from './grant-type.ts'
import { grantTypes } from './grant-types.ts'
import { readProof, spendProof, wantsNonce } from './key-proof.ts'

export const tokenPath = '/oauth/token'

/** @throws {OAuthError} */
export async function answerToken(deps: OAuthDeps, asked: Omit<TokenRequest, 'keyThumbprint'>): Promise<TokenAnswer> {
  const name = required(asked.form, 'grant_type')
  const grantType = Object.hasOwn(grantTypes, name) ? grantTypes[name] : undefined
  if (!grantType) throw new OAuthError('unsupported_grant_type', 'There is no such grant_type here.')
  const keyThumbprint = await provedKey(deps, asked, deps.runtime.now())
  return grantType(deps, { ...asked, ...(keyThumbprint !== undefined && { keyThumbprint }) })
}

async function provedKey(
  { db, publicUrl, key }: OAuthDeps,
  { headers }: Pick<TokenRequest, 'headers'>,
  now: Instant,
): Promise<string | undefined> {
  const { dpop } = headers
  if (dpop === undefined) return undefined
  const proof = await readProof(dpop, { method: 'POST', url: `${publicUrl()}${tokenPath}`, now, key })
  if (!proof && wantsNonce(dpop, { now, key }))
    throw new OAuthError(
      'use_dpop_nonce',
      'The time in the proof is not now: put the DPoP-Nonce of this answer into it.',
    )
  if (!proof || !(await spendProof(db, proof, now)))
    throw new OAuthError('invalid_dpop_proof', 'The proof is not of this request, not of now, or was used before.')
  return proof.keyThumbprint
}
