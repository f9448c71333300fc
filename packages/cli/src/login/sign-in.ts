/** From nobody to a login: through the browser of this machine, or of another. */

import * as oidc from 'openid-client'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { patience } from '../limits.ts'
import { bold, command } from '../output.ts'
import type { Demand, KeyPair } from './authorization-server.ts'
import { configOf, discover, readable } from './authorization-server.ts'
import { findBrowser, openBrowser } from './browser.ts'
import type { KeptLogin } from './kept-login.ts'
import { listenForBrowser } from './loopback.ts'

export type Way = { readonly by: 'browser'; readonly program: string | undefined } | { readonly by: 'device' }

type Wished = { readonly device?: boolean; readonly noBrowser?: boolean }

/** As they said; else the browser of this machine where there is one, and one on any where there is not. */
export async function wayFor(invocation: Invocation, { device, noBrowser }: Wished): Promise<Way> {
  if (noBrowser) return { by: 'browser', program: undefined }
  const program = device ? undefined : await findBrowser(invocation)
  return program === undefined ? { by: 'device' } : { by: 'browser', program }
}

export type Asking = {
  readonly url: string
  /** What it gets is bound to this. Where a login has it already, that one goes on. */
  readonly key: KeyPair
  readonly way: Way
  /** Absent: that the person is signed in is enough. */
  readonly demand?: Demand
  /** Ends the wait for the person. */
  readonly signal?: AbortSignal
}

/** @throws {Failure} in words for people, whatever went wrong */
export async function signIn(invocation: Invocation, asking: Asking): Promise<Held & Pick<KeptLogin, 'tokenEndpoint'>> {
  const { url, way } = asking
  try {
    const config = await discover(invocation, url)
    const at = { ...asking, config }
    const tokens = way.by === 'device' ? await byDevice(invocation, at) : await byBrowser(invocation, at, way.program)
    return { ...heldBy(invocation, tokens), tokenEndpoint: endpointOf(config) }
  } catch (error) {
    throw readable(error, url)
  }
}

type At = Asking & { readonly config: oidc.Configuration }

const endpointOf = (config: oidc.Configuration): string => config.serverMetadata().token_endpoint as string

async function byBrowser(
  invocation: Invocation,
  { config, key, demand, signal }: At,
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
      ...wanted(demand),
    })
    const back = loopback.back(state)
    tell(invocation, leaving, { opened: program !== undefined, demand })
    if (program !== undefined)
      openBrowser(invocation, { program, url: leaving, failed: () => tellElsewhere(invocation) })
    const coming = await withinPatience(invocation, back, signal)
    const checks = { pkceCodeVerifier: verifier, expectedState: state }
    return await oidc.authorizationCodeGrant(config, coming, checks, undefined, { DPoP })
  } finally {
    loopback.close()
  }
}

const wanted = ({ acr_values: acr, max_age: age }: Demand = {}): Record<string, string> => ({
  ...(acr !== undefined && { acr_values: acr }),
  ...(age !== undefined && { max_age: age }),
})

type Told = { readonly opened: boolean; readonly demand: Demand | undefined }

function tell({ out }: Invocation, { href }: URL, { opened, demand }: Told): void {
  const asks = demand === undefined ? 'Your browser asks whether you allow it.' : 'Prove it in your browser.'
  out.note(opened ? `${asks} If it does not open:` : 'Open this in a browser on this machine:', ['  ', command(href)])
}

const tellElsewhere = ({ out }: Invocation): void =>
  out.note('The browser did not open. Open the address above in one on this machine, or stop this and use --device.')

async function withinPatience({ sleep }: Invocation, back: Promise<URL>, signal?: AbortSignal): Promise<URL> {
  const over = new AbortController()
  const ending = signal ? AbortSignal.any([over.signal, signal]) : over.signal
  const late = sleep(patience.browserMs, ending).then(() => undefined)
  const came = await Promise.race([back, late])
  over.abort()
  if (came) return came
  signal?.throwIfAborted()
  throw new Failure('unauthenticated', 'Nobody answered in the browser in time.', {
    remedy: 'Run `tidegate login` again, with --device where the browser is on another machine.',
  })
}

async function byDevice(
  invocation: Invocation,
  { config, key, demand, signal }: At,
): Promise<oidc.TokenEndpointResponse> {
  const DPoP = oidc.getDPoPHandle(config, key)
  const dpopJkt = await DPoP.calculateThumbprint()
  const asked = await oidc.initiateDeviceAuthorization(config, { dpop_jkt: dpopJkt, ...wanted(demand) })
  invocation.out.note(
    ['In a browser on any machine, open ', command(asked.verification_uri)],
    ['and type ', bold(asked.user_code)],
    `It is good for ${Math.round(asked.expires_in / 60)} minutes.`,
  )
  return oidc.pollDeviceAuthorizationGrant(config, asked, undefined, { DPoP, ...(signal && { signal }) })
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
