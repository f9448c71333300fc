/** A real OpenID provider in the process of the test, whose people and keys the test owns. */

import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CryptoKey, JWK } from 'jose'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { onTestFinished } from 'vitest'

export type Account = {
  readonly sub: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly amr?: readonly string[]
  readonly acr?: string
}

export type TestProvider = {
  readonly issuer: string
  readonly clientId: string
  readonly secret: string
  /** Whoever signs in next, without being asked for anything. */
  signInAs(account: Account): void
  /** From here on it signs with another key, and has forgotten the one before. */
  rotateKeys(): Promise<void>
  /** Every answer goes through here: a test may make it another, as an attacker or a broken provider would. */
  tamper(change: Tamper | undefined): void
  /** As the provider signs. */
  readonly key: () => { readonly privateKey: CryptoKey; readonly kid: string }
  /** Where it is told that its clients log someone out. */
  readonly paths: string[]
}

/** @returns the answer that goes out instead; `undefined`: its own */
export type Tamper = (path: string, body: string) => string | undefined

type Options = { readonly redirect: (issuer: string) => string; readonly claims?: readonly string[] }

type Key = { readonly privateKey: CryptoKey; readonly kid: string; readonly jwk: JWK }

async function makeKey(kid: string): Promise<Key> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { privateKey, kid, jwk: { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' } }
}

export async function startProvider({ redirect, claims = ['groups'] }: Options): Promise<TestProvider> {
  const paths: string[] = []
  let listener: (request: IncomingMessage, response: ServerResponse) => void = () => undefined
  const server = createServer((request, response) => {
    paths.push(request.url ?? '')
    listener(request, response)
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  onTestFinished(() => {
    server.closeAllConnections()
    return new Promise<void>((closed) => server.close(() => closed()))
  })
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clientId = 'tidegate'
  const secret = 'a-client-secret-of-the-tests'
  let account: Account | undefined
  let tampering: Tamper | undefined
  let count = 1
  let key = await makeKey('key-1')
  const build = (): void => {
    const provider = makeProvider({
      issuer,
      clientId,
      secret,
      redirect: redirect(issuer),
      claims,
      key,
      account: () => account,
    })
    const answer = provider.callback()
    listener = (request, response) => {
      const { url = '' } = request
      intercept(response, (body) => tampering?.(url, body))
      if (url.startsWith('/interaction/')) void interact(provider, { request, response, account })
      else void answer(request, response)
    }
  }
  build()
  return {
    issuer,
    clientId,
    secret,
    paths,
    key: () => key,
    signInAs: (next) => void (account = next),
    tamper: (change) => void (tampering = change),
    async rotateKeys() {
      key = await makeKey(`key-${++count}`)
      build()
    },
  }
}

type Making = {
  readonly issuer: string
  readonly clientId: string
  readonly secret: string
  readonly redirect: string
  readonly claims: readonly string[]
  readonly key: Key
  readonly account: () => Account | undefined
}

/** It tells at length, on the console, what it is not meant for. */
function quietly<T>(make: () => T): T {
  const { warn, info } = console
  Object.assign(console, { warn: () => undefined, info: () => undefined })
  try {
    return make()
  } finally {
    Object.assign(console, { warn, info })
  }
}

function makeProvider({ issuer, clientId, secret, redirect, claims, key, account }: Making): Provider {
  const configuration = {
    clients: [
      {
        client_id: clientId,
        client_secret: secret,
        redirect_uris: [redirect],
        post_logout_redirect_uris: [`${new URL(redirect).origin}/login`],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        require_auth_time: true,
        backchannel_logout_uri: redirect.replace('/login/callback/', '/backchannel-logout/'),
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [key.jwk] },
    cookies: { keys: ['a-cookie-key-of-the-tests'] },
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time', 'sid', 'iss'],
      email: ['email', 'email_verified'],
      profile: ['name', ...claims],
    },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, ...(account()?.sub === sub ? account()?.claims : {}) }),
    }),
    ttl: { Interaction: 600, Session: 3_600, Grant: 3_600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
  }
  return quietly(() => new Provider(issuer, configuration))
}

type Interacting = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly account: Account | undefined
}

/** The person says yes to whatever the provider asks. */
async function interact(provider: Provider, { request, response, account }: Interacting): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(request, response)
  if (!account) return provider.interactionFinished(request, response, { error: 'access_denied' })
  if (prompt.name === 'login') {
    const login = {
      accountId: account.sub,
      ...(account.acr !== undefined && { acr: account.acr }),
      ...(account.amr && { amr: account.amr }),
    }
    return provider.interactionFinished(request, response, { login })
  }
  const Grant = (
    provider as unknown as { Grant: new (of: object) => { addOIDCScope(s: string): void; save(): Promise<string> } }
  ).Grant
  const grant = new Grant({ accountId: account.sub, clientId: params['client_id'] })
  grant.addOIDCScope(String(params['scope']))
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

/** What is sent as a whole may be sent otherwise. */
function intercept(response: ServerResponse, change: (body: string) => string | undefined): void {
  const end = response.end.bind(response) as (body?: unknown) => ServerResponse
  response.end = ((body?: unknown) => {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? String(body) : ''
    const other = change(text)
    if (other === undefined) return end(body)
    if (!response.headersSent) response.setHeader('content-length', Buffer.byteLength(other))
    return end(other)
  }) as ServerResponse['end']
}
