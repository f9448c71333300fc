/** The token endpoint of RFC 6749: one form in, one token or refusal out. */

import type { Instant } from '@tidegate/core'
import { OAuthError } from './errors.ts'
import { required } from './form.ts'
import type { OAuthDeps, TokenAnswer, TokenRequest } from './grant-type.ts'
import { grantTypes } from './grant-types.ts'
import { readProof, spendProof } from './key-proof.ts'

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
  { db, publicUrl }: OAuthDeps,
  { headers }: Pick<TokenRequest, 'headers'>,
  now: Instant,
): Promise<string | undefined> {
  const { dpop } = headers
  if (dpop === undefined) return undefined
  const proof = await readProof(dpop, { method: 'POST', url: `${publicUrl()}${tokenPath}`, now })
  if (!proof || !(await spendProof(db, proof, now)))
    throw new OAuthError('invalid_dpop_proof', 'The proof is not of this request, not of now, or was used before.')
  return proof.keyThumbprint
}
