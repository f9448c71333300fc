/** Whoever gives workloads their tokens, at a real address, with keys that the test owns. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CryptoKey, JWK, JWTPayload } from 'jose'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { onTestFinished } from 'vitest'

export type TestIssuer = {
  readonly url: string
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** As it signs now. */
  readonly sign: (claims: JWTPayload, header?: Record<string, unknown>) => Promise<string>
  readonly key: () => { readonly privateKey: CryptoKey; readonly jwk: JWK }
  /** From here on it signs with another key, and has forgotten the one before. */
  rotate(): Promise<void>
  /** What it answers instead of what it would; `undefined`: what it would. */
  answer(change: ((path: string) => { status: number; body: string } | undefined) | undefined): void
}

export async function startIssuer(): Promise<TestIssuer> {
  let count = 0
  const make = async (): Promise<{ privateKey: CryptoKey; jwk: JWK }> => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid: `key-${++count}`, alg: 'ES256', use: 'sig' } }
  }
  let key = await make()
  let change: ((path: string) => { status: number; body: string } | undefined) | undefined
  const asked: string[] = []
  const server = createServer(({ url: path = '' }, response) => {
    asked.push(path)
    const own = path.endsWith('/.well-known/openid-configuration')
      ? { issuer: url, jwks_uri: `${url}/keys` }
      : { keys: [key.jwk] }
    const { status, body } = change?.(path) ?? { status: 200, body: JSON.stringify(own) }
    response
      .writeHead(status, { 'content-type': 'application/json', ...(status === 302 && { location: body }) })
      .end(body)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((closed) => server.close(() => closed()))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    asked,
    key: () => key,
    sign: (claims, header = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: key.jwk.kid ?? '', ...header })
        .sign(key.privateKey),
    async rotate() {
      key = await make()
    },
    answer: (next) => void (change = next),
  }
}
