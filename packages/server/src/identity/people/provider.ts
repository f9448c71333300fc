/** Talking to an OpenID provider. All of the protocol and its cryptography is openid-client's. */

import type { Instant } from '@tidegate/core'
import { after } from '@tidegate/core'
import * as oidc from 'openid-client'
import type { DeclaredProvider } from '../../configuration/schema.ts'
import type { Runtime } from '../../runtime.ts'
import type { ReferenceSources } from '../../secrets/references.ts'
import { resolveReference } from '../../secrets/references.ts'
import type { Need } from '../factors/need.ts'
import { identityLimits } from '../limits.ts'
import type { Claims, SignedIn } from './claims.ts'
import { readClaims } from './claims.ts'

/** What is remembered of a sign-in while someone is at their provider. */
export type Attempt = {
  readonly provider: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** A path of ours, to go to afterwards. */
  readonly returnTo: string
  /** What it is to prove beyond who they are. */
  readonly need?: Need
  readonly endsAt: Instant
}

export type Providers = {
  /** Where to send someone, and what to remember of it. */
  readonly begin: (asking: Asking) => Promise<{ readonly url: URL; readonly attempt: Attempt }>
  /** @throws what openid-client throws, for anything that is not as it must be */
  readonly finish: (coming: Coming) => Promise<SignedIn>
  /** Where someone signs out of their provider, if it has such a place. */
  readonly logoutUrl: (provider: DeclaredProvider, publicUrl: string) => Promise<URL | undefined>
  readonly metadata: (provider: DeclaredProvider) => Promise<oidc.ServerMetadata>
}

export type Asking = {
  readonly provider: DeclaredProvider
  readonly publicUrl: string
  readonly returnTo: string
  readonly need?: Need
}

/** @property url the address they came back to, as the provider wrote it */
export type Coming = { readonly provider: DeclaredProvider; readonly url: URL; readonly attempt: Attempt }

type Deps = { readonly runtime: Runtime; readonly secrets: ReferenceSources }

export const callbackUrl = (publicUrl: string, { id }: Pick<DeclaredProvider, 'id'>): string =>
  `${publicUrl}/login/callback/${id}`

export function createProviders(deps: Deps): Providers {
  const metadata = createMetadata(deps)
  const open = async (provider: DeclaredProvider): Promise<oidc.Configuration> =>
    clientOf(deps, provider, await metadata(provider))
  return {
    metadata,
    async begin({ provider, publicUrl, returnTo, need }) {
      const config = await open(provider)
      const verifier = oidc.randomPKCECodeVerifier()
      const state = oidc.randomState()
      const nonce = oidc.randomNonce()
      const url = oidc.buildAuthorizationUrl(config, {
        redirect_uri: callbackUrl(publicUrl, provider),
        scope: provider.scopes.join(' '),
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state,
        nonce,
        ...(need && againAs(provider, need)),
      })
      const endsAt = after(deps.runtime.now(), identityLimits.attempt)
      const remembered = { provider: provider.id, state, nonce, verifier, returnTo, ...(need && { need }), endsAt }
      return { url, attempt: remembered }
    },
    async finish({ provider, url, attempt }) {
      const config = await open(provider)
      const tokens = await oidc.authorizationCodeGrant(config, url, {
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        pkceCodeVerifier: attempt.verifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      if (!claims) throw new Error('The provider gave no ID token.')
      const all = { ...(await userInfo(config, provider, { claims, accessToken: tokens.access_token })), ...claims }
      return readClaims(provider, all, deps.runtime.now())
    },
    async logoutUrl(provider, publicUrl) {
      const config = await open(provider)
      if (config.serverMetadata().end_session_endpoint === undefined) return undefined
      return oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: `${publicUrl}/login` })
    },
  }
}

/** Asked anew, also whom the provider knows already, and for what configuration takes as proof. */
function againAs({ mfa, phishingResistant }: DeclaredProvider, need: Need): Record<string, string> {
  const acr = need === 'sign-in' ? [] : [...(need === 'mfa' ? mfa.acr : []), ...phishingResistant.acr]
  return { prompt: 'login', max_age: '0', ...(acr.length > 0 && { acr_values: acr.join(' ') }) }
}

type Obtained = { readonly claims: oidc.IDToken; readonly accessToken: string }

/** Asked only for what the ID token does not say. What that says goes before it. */
async function userInfo(
  config: oidc.Configuration,
  provider: DeclaredProvider,
  { claims, accessToken }: Obtained,
): Promise<Claims> {
  const wanted = [provider.claims.email, provider.claims.name, provider.claims.groups]
  const missing = wanted.some((name) => name !== undefined && !Object.hasOwn(claims, name))
  if (!missing || config.serverMetadata().userinfo_endpoint === undefined) return {}
  return oidc.fetchUserInfo(config, accessToken, claims.sub)
}

/** One for each use: keys are fetched with each, so that one which was withdrawn is not believed a moment longer. */
async function clientOf(
  { runtime, secrets }: Deps,
  provider: DeclaredProvider,
  metadata: oidc.ServerMetadata,
): Promise<oidc.Configuration> {
  const secret = await resolveReference(provider.clientSecret, secrets)
  const auth =
    provider.clientAuthentication === 'basic' ? oidc.ClientSecretBasic(secret) : oidc.ClientSecretPost(secret)
  const clocks = {
    // Its clock is ours, not the process's.
    [oidc.clockSkew]: Math.round((runtime.now() - Date.now()) / 1_000),
    [oidc.clockTolerance]: identityLimits.skew / 1_000,
  }
  const config = new oidc.Configuration(metadata, provider.clientId, clocks, auth)
  config.timeout = identityLimits.providerPatience / 1_000
  // Signatures are checked although the tokens come straight from the provider: TLS may end before it does.
  oidc.enableNonRepudiationChecks(config)
  if (isPlain(provider)) allowPlain(config)
  return config
}

// oxlint-disable-next-line typescript/no-deprecated -- Called so by its makers to stand out, and here it does.
const allowPlain: (config: oidc.Configuration) => void = oidc.allowInsecureRequests

/** Configuration allows it for this machine only. */
const isPlain = ({ issuer }: DeclaredProvider): boolean => new URL(issuer).protocol === 'http:'

type Kept = { readonly until: Instant; readonly metadata: Promise<oidc.ServerMetadata> }

/** What did not come is asked for again at the next use. */
function createMetadata({ runtime }: Deps): Providers['metadata'] {
  const kept = new Map<string, Kept>()
  return (provider) => {
    const known = kept.get(provider.issuer)
    if (known && runtime.now() < known.until) return known.metadata
    const metadata = discover(provider)
    metadata.catch(() => kept.delete(provider.issuer))
    kept.set(provider.issuer, { until: after(runtime.now(), identityLimits.metadataKept), metadata })
    return metadata
  }
}

async function discover(provider: DeclaredProvider): Promise<oidc.ServerMetadata> {
  const config = await oidc.discovery(new URL(provider.issuer), provider.clientId, undefined, oidc.None(), {
    timeout: identityLimits.providerPatience / 1_000,
    execute: isPlain(provider) ? [allowPlain] : [],
  })
  return config.serverMetadata()
}
