/** A client of our authorization server that we did not write, and a person who lets it in. */

import * as oidc from 'openid-client'
import type { Browser, Visit } from './browser.ts'

export type Asker = {
  readonly config: oidc.Configuration
  readonly key: oidc.CryptoKeyPair
  readonly handle: oidc.DPoPHandle
}

type Clock = { readonly now: () => number }

/** With a key of its own, whose clock is the test's. */
export async function askerAt(url: string, clock: Clock, key?: oidc.CryptoKeyPair): Promise<Asker> {
  const config = await oidc.discovery(
    new URL(url),
    'tidegate-cli',
    { [oidc.clockSkew]: Math.round((clock.now() - Date.now()) / 1_000) },
    oidc.None(),
    // oxlint-disable-next-line typescript/no-deprecated -- Of this machine.
    { algorithm: 'oauth2', execute: [oidc.allowInsecureRequests] },
  )
  const pair = key ?? (await oidc.randomDPoPKeyPair('ES256'))
  return { config, key: pair, handle: oidc.getDPoPHandle(config, pair) }
}

export const redirectUri = 'http://127.0.0.1:49152/callback'

export type Sent = { readonly url: URL; readonly verifier: string; readonly state: string }

/** Where a browser is sent. @param more what else is asked for */
export async function authorization(
  { config, handle }: Asker,
  more: Readonly<Record<string, string>> = {},
): Promise<Sent> {
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await handle.calculateThumbprint(),
    state,
    ...more,
  })
  return { url, verifier, state }
}

/** As the form of the page that they are on. */
export function answer(browser: Browser, { at, text }: Visit, word: string): Promise<Visit> {
  const action = /<form method="post" action="([^"]+)"/.exec(text)?.[1]
  if (action === undefined) throw new Error(`There is no form at ${at}: ${text.slice(0, 500)}`)
  const fields = [...text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)]
  const body = new URLSearchParams(fields.map(([, name = '', value = '']): [string, string] => [name, value]))
  body.set('answer', word)
  const { origin } = new URL(at)
  return browser.post(`${origin}${action}`, body.toString(), { origin })
}

/** @returns where the browser is sent back to */
export async function letIn(browser: Browser, { url }: Sent, word = 'allow'): Promise<URL> {
  const answered = await answer(browser, await browser.open(url.href), word)
  return new URL(String(answered.headers['location']))
}

export const redeem = ({ config, handle }: Asker, back: URL, { verifier, state }: Sent) =>
  oidc.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedState: state }, undefined, {
    DPoP: handle,
  })

export type Tokens = Awaited<ReturnType<typeof redeem>>

/** From a browser to a token, as it should be. */
export async function signedInAsker(
  { url, clock }: { readonly url: string; readonly clock: Clock },
  browser: Browser,
): Promise<Asker & { readonly tokens: Tokens }> {
  const asker = await askerAt(url, clock)
  const sent = await authorization(asker)
  const tokens = await redeem(asker, await letIn(browser, sent), sent)
  return { ...asker, tokens }
}

/** The status of a call of the API, whatever it is. */
export async function callWith({ config, handle }: Asker, accessToken: string, url: URL): Promise<Response> {
  try {
    return await oidc.fetchProtectedResource(config, accessToken, url, 'GET', undefined, undefined, { DPoP: handle })
  } catch (error) {
    if (error instanceof oidc.WWWAuthenticateChallengeError) return error.response
    throw error
  }
}

/** What a refusal of the token endpoint says. */
export const refusalOf = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'none',
    (error: unknown) => (error as { error?: string; code?: string }).error ?? (error as Error).message,
  )
