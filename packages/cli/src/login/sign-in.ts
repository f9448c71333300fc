/** From nobody to a login: through the browser of this machine, or of another. */

import * as oidc from 'openid-client'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { patience } from '../limits.ts'
import { bold, command } from '../output.ts'
import type { KeyPair } from './authorization-server.ts'
import { configOf, discover, exportKey, makeKey, readable } from './authorization-server.ts'
import { openBrowser } from './browser.ts'
import type { KeptLogin } from './kept-login.ts'
import { listenForBrowser } from './loopback.ts'

export type Way = { readonly by: 'browser'; readonly program: string | undefined } | { readonly by: 'device' }

/** @throws {Failure} in words for people, whatever went wrong */
export async function signIn(invocation: Invocation, url: string, way: Way): Promise<Omit<KeptLogin, 'id'>> {
  try {
    const config = await discover(invocation, url)
    const key = await makeKey()
    const at = { url, config, key }
    const tokens = way.by === 'device' ? await byDevice(invocation, at) : await byBrowser(invocation, at, way.program)
    return { ...heldBy(invocation, tokens), url, tokenEndpoint: endpointOf(config), key: await exportKey(key) }
  } catch (error) {
    throw readable(error, url)
  }
}

type At = { readonly url: string; readonly config: oidc.Configuration; readonly key: KeyPair }

const endpointOf = (config: oidc.Configuration): string => config.serverMetadata().token_endpoint as string

async function byBrowser(
  invocation: Invocation,
  { config, key }: At,
  program: string | undefined,
): Promise<oidc.TokenEndpointResponse> {
  const loopback = await listenForBrowser()
  const DPoP = oidc.getDPoPHandle(config, key)
  try {
    const state = oidc.randomState()
    const verifier = oidc.randomPKCECodeVerifier()
    const leaving = oidc.buildAuthorizationUrl(config, {
      redirect_uri: loopback.redirectUri,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      dpop_jkt: await DPoP.calculateThumbprint(),
      state,
    })
    const back = loopback.back(state)
    if (program !== undefined) openBrowser(invocation, program, leaving)
    tell(invocation, leaving, program !== undefined)
    const coming = await withinPatience(invocation, back)
    const checks = { pkceCodeVerifier: verifier, expectedState: state }
    return await oidc.authorizationCodeGrant(config, coming, checks, undefined, { DPoP })
  } finally {
    loopback.close()
  }
}

const tell = ({ out }: Invocation, { href }: URL, opened: boolean): void =>
  out.note(
    opened ? 'Your browser asks whether you allow it. If it does not open:' : 'Open this in a browser on this machine:',
    ['  ', command(href)],
  )

async function withinPatience({ sleep }: Invocation, back: Promise<URL>): Promise<URL> {
  const over = new AbortController()
  const late = sleep(patience.browserMs, over.signal).then(() => undefined)
  const came = await Promise.race([back, late])
  over.abort()
  if (came) return came
  throw new Failure('unauthenticated', 'Nobody answered in the browser in time.', {
    remedy: 'Run `tidegate login` again, with --device where the browser is on another machine.',
  })
}

async function byDevice(invocation: Invocation, { config, key }: At): Promise<oidc.TokenEndpointResponse> {
  const DPoP = oidc.getDPoPHandle(config, key)
  const asked = await oidc.initiateDeviceAuthorization(config, { dpop_jkt: await DPoP.calculateThumbprint() })
  invocation.out.note(
    ['In a browser on any machine, open ', command(asked.verification_uri)],
    ['and type ', bold(asked.user_code)],
    `It is good for ${Math.round(asked.expires_in / 60)} minutes.`,
  )
  return oidc.pollDeviceAuthorizationGrant(config, asked, undefined, { DPoP })
}

type Held = Pick<KeptLogin, 'accessToken' | 'refreshToken' | 'accessEndsAt'>

function heldBy({ now }: Pick<Invocation, 'now'>, tokens: oidc.TokenEndpointResponse): Held {
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds } = tokens
  if (refreshToken === undefined || seconds === undefined)
    throw new Failure('failure', 'The server gave a login that cannot go on.')
  return { accessToken, refreshToken, accessEndsAt: now() + seconds * 1_000 }
}

/** Another access token, and the refresh token that takes the place of the one before. */
export async function refresh(
  context: Pick<Invocation, 'now'> & Parameters<typeof configOf>[0],
  login: KeptLogin,
  key: KeyPair,
): Promise<KeptLogin> {
  try {
    const config = configOf(context, login)
    const DPoP = oidc.getDPoPHandle(config, key)
    const tokens = await oidc.refreshTokenGrant(config, login.refreshToken, undefined, { DPoP })
    return { ...login, ...heldBy(context, tokens) }
  } catch (error) {
    throw readable(error, login.url)
  }
}
