/**
 * Stands in for an OpenID provider, in a process of its own: it says what it has to say of itself, and signs what it is
 * asked to. Whoever is in its code is who signs in; it asks nobody, and remembers nothing.
 */

import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'

/** What the benchmark, as the browser, brings back in place of the provider. */
export type Code = { readonly sub: string; readonly nonce: string }

export type Listening = {
  readonly issuer: string
  readonly clientId: string
  /** Signs tokens of workloads as well, which the benchmark makes before it begins to measure. */
  readonly key: { readonly id: string; readonly private: JWK; readonly public: JWK }
}

const clientId = 'bench'
const keyId = 'key-1'

const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
const published = { ...(await exportJWK(publicKey)), kid: keyId, alg: 'RS256', use: 'sig' }

const server = createServer((request, response) => {
  void answer(request).then((body) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
  )
}).listen(0, '127.0.0.1', () => void tell())

const issuer = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

async function tell(): Promise<void> {
  const key = { id: keyId, private: await exportJWK(privateKey), public: published }
  const listening: Listening = { issuer: issuer(), clientId, key }
  process.send?.(listening)
}

async function answer(request: IncomingMessage): Promise<object> {
  if (request.url === '/keys') return { keys: [published] }
  if (request.url !== '/token') return discovered()
  const code = new URLSearchParams(await text(request)).get('code') ?? ''
  return tokens(JSON.parse(Buffer.from(code, 'base64url').toString()) as Code)
}

const discovered = (): object => ({
  issuer: issuer(),
  authorization_endpoint: `${issuer()}/authorize`,
  token_endpoint: `${issuer()}/token`,
  jwks_uri: `${issuer()}/keys`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  code_challenge_methods_supported: ['S256'],
})

async function tokens({ sub, nonce }: Code): Promise<object> {
  const claims = { nonce, email: `${sub}@example.com`, email_verified: true, name: sub }
  const idToken = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', kid: keyId })
    .setIssuer(issuer())
    .setSubject(sub)
    .setAudience(clientId)
    .setIssuedAt()
    .setExpirationTime('5m')
    .sign(privateKey)
  return { access_token: 'worth-nothing', token_type: 'Bearer', id_token: idToken }
}

process.once('disconnect', () => server.close(() => undefined).closeAllConnections())
