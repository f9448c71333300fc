/** Proofs of a key (RFC 9449) made by hand, right until something is changed. */

import { createHash } from 'node:crypto'
import type { CryptoKey } from 'jose'
import { exportJWK, SignJWT } from 'jose'
import type { CryptoKeyPair } from 'openid-client'

export type Made = {
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, unknown>
  readonly key?: CryptoKey
}

type For = {
  readonly url: string
  readonly key: CryptoKeyPair
  readonly tokens: { readonly access_token: string }
  readonly world: { readonly clock: { readonly now: () => number } }
}

/** For `GET /v1/me`. */
export async function prover({ url, key: own, tokens, world }: For): Promise<(made?: Made) => Promise<string>> {
  const jwk = await exportJWK(own.publicKey)
  return ({ claims = {}, header = {}, key = own.privateKey } = {}) =>
    new SignJWT({
      jti: crypto.randomUUID(),
      htm: 'GET',
      htu: `${url}/v1/me`,
      iat: Math.floor(world.clock.now() / 1_000),
      ath: createHash('sha256').update(tokens.access_token).digest('base64url'),
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
      .sign(key)
}
