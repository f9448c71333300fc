/** Talking to the server's sign-in. All of the protocol and its cryptography is openid-client's. */

import { ApiError } from '@tidegate/api'
import * as oidc from 'openid-client'
import type { Context } from '../context.ts'
import { Failure } from '../failure.ts'
import { patience } from '../limits.ts'
import { wholeAnswers } from '../server.ts'
import type { KeptLogin } from './kept-login.ts'

const clientId = 'tidegate-cli'

export type KeyPair = oidc.CryptoKeyPair

/** What a person has to prove, as the server wrote it (RFC 9470). */
export type Demand = {
  readonly acr_values?: string
  readonly max_age?: string
  /** Its words for people. */
  readonly said?: string
}

/** @throws {Failure} where the server is not whom it was called, or nobody signs in there */
export async function discover(context: Context, url: string): Promise<oidc.Configuration> {
  const options = {
    algorithm: 'oauth2',
    timeout: patience.callMs / 1_000,
    [oidc.customFetch]: sendingAs(context),
  } as const
  const execute = isPlain(url) ? [allowPlain] : []
  const config = await oidc
    .discovery(new URL(url), clientId, undefined, oidc.None(), { ...options, execute })
    .catch((error: unknown) => {
      throw notOurs(error, url)
    })
  for (const endpoint of endpoints) checkOrigin(config.serverMetadata()[endpoint], url)
  return config
}

const endpoints = [
  'authorization_endpoint',
  'token_endpoint',
  'device_authorization_endpoint',
  'revocation_endpoint',
] as const

/** What it holds is given back. It takes no proof of the key, so that a clock that is off is not in the way. */
export async function revoke(
  context: Context,
  { url, refreshToken }: Pick<KeptLogin, 'url' | 'refreshToken'>,
): Promise<void> {
  await oidc.tokenRevocation(await discover(context, url), refreshToken)
}

/** A server speaks for itself alone. */
function checkOrigin(endpoint: string | undefined, url: string): void {
  if (endpoint !== undefined && new URL(endpoint).origin === new URL(url).origin) return
  throw new Failure('failure', `The server at ${url} has its sign-in elsewhere.`, {
    remedy: 'Use the address that it is meant to be reached at.',
  })
}

function notOurs(error: unknown, url: string): unknown {
  if (error instanceof oidc.ClientError && error.code === 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED') {
    return new Failure('usage', `The server at ${url} calls itself something else.`, {
      remedy: 'Give --url the address that people reach it at: TIDEGATE_PUBLIC_URL of the server.',
    })
  }
  if (error instanceof oidc.ClientError)
    return new Failure('failure', `Nobody signs in at ${url} as a person does.`, {
      remedy: 'Check the address; with a token, use `tidegate login --with-token`.',
    })
  return readable(error, url)
}

/** For a login that is there already: nothing is asked of the server first. */
export function configOf(
  context: Context,
  { url, tokenEndpoint }: KeptLogin,
  signal?: AbortSignal,
): oidc.Configuration {
  const metadata = { issuer: url, token_endpoint: tokenEndpoint }
  const config = new oidc.Configuration(metadata, clientId, undefined, oidc.None())
  config[oidc.customFetch] = sendingAs(context, signal)
  config.timeout = patience.callMs / 1_000
  if (isPlain(url)) allowPlain(config)
  return config
}

/** Which is decided before: a token goes over plain HTTP to this machine alone, or where someone said that it may. */
const isPlain = (url: string): boolean => new URL(url).protocol === 'http:'

// oxlint-disable-next-line typescript/no-deprecated -- Called so by its makers to stand out, and here it does.
const allowPlain: (config: oidc.Configuration) => void = oidc.allowInsecureRequests

/** People see this where they are asked, and in the list of their logins. */
function sendingAs({ fetch, version, host }: Context, signal?: AbortSignal): oidc.CustomFetch {
  const send = wholeAnswers(fetch)
  const agent = `tidegate/${version} (${host.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 100)})`
  return (url, { body, method, redirect, headers }) =>
    send(url, {
      method,
      redirect,
      headers: { ...headers, 'user-agent': agent },
      ...(body !== undefined && { body: body as NonNullable<RequestInit['body']> }),
      ...(signal && { signal }),
    })
}

export const makeKey = (): Promise<KeyPair> => oidc.randomDPoPKeyPair('ES256', { extractable: true })

export async function exportKey({ privateKey }: KeyPair): Promise<KeptLogin['key']> {
  return (await crypto.subtle.exportKey('jwk', privateKey)) as KeptLogin['key']
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }

export async function importKey(key: KeptLogin['key']): Promise<KeyPair> {
  const { kty, crv, x, y } = key
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', { kty, crv, x, y, d: key.d }, algorithm, false, ['sign']),
    crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, true, ['verify']),
  ])
  return { privateKey, publicKey }
}

const answers: Readonly<
  Record<string, readonly [exit: 'refused' | 'unauthenticated', message: string, remedy: string]>
> = {
  access_denied: ['refused', 'It was refused in the browser.', 'Run `tidegate login` again, and allow it.'],
  expired_token: ['unauthenticated', 'Nobody answered in time.', 'Run `tidegate login` again.'],
  invalid_grant: ['unauthenticated', 'The login is over.', 'Run `tidegate login`.'],
  invalid_dpop_proof: [
    'unauthenticated',
    'The server does not believe what this machine signs: their clocks may be more than a minute apart.',
    'Check the clocks of both.',
  ],
}

/** What went wrong with the server's sign-in, in words for people. */
export function readable(error: unknown, url: string): unknown {
  if (error instanceof oidc.ResponseBodyError || error instanceof oidc.AuthorizationResponseError) {
    const [exit, message, remedy] = answers[error.error] ?? [
      'unauthenticated',
      `The server says ${error.error}.`,
      'Run `tidegate login` again.',
    ]
    return new Failure(exit, message, { remedy })
  }
  if (error instanceof oidc.ClientError && error.code === 'OAUTH_INVALID_RESPONSE')
    return new Failure('unauthenticated', 'What came back from the browser is not the answer of this server.', {
      remedy: 'Run `tidegate login` again.',
    })
  if (error instanceof oidc.ClientError)
    return new ApiError('unavailable', { detail: `The sign-in at ${url} did not answer as it should.`, cause: error })
  if (error instanceof TypeError || error instanceof RangeError)
    return new ApiError('unavailable', { detail: `No Tidegate server answers at ${url}.`, cause: error })
  return error
}
