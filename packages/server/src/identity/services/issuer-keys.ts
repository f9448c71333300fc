/**
 * The keys of whoever gives workloads their tokens. Kept for a while and never used longer; read once more when a token
 * names one that is not among them, so that keys can change at any moment, and not more often than so, so that nobody has
 * us ask by making names up. Where they cannot be read, nobody is believed.
 */

import type { Instant } from '@tidegate/core'
import { after } from '@tidegate/core'
import type { JWK, JWTVerifyGetKey } from 'jose'
import { createLocalJWKSet, errors } from 'jose'
import type { DeclaredIssuer } from '../../configuration/schema.ts'
import type { Runtime } from '../../runtime.ts'
import type { ReferenceSources } from '../../secrets/references.ts'
import { resolveReference } from '../../secrets/references.ts'
import { identityLimits } from '../limits.ts'

export type IssuerKeys = {
  /** @throws for an issuer that cannot be read, and where no key of it fits */
  readonly of: (issuer: DeclaredIssuer) => JWTVerifyGetKey
}

type Deps = { readonly runtime: Runtime; readonly secrets: ReferenceSources }

type Kept = { readonly find: JWTVerifyGetKey; readonly readAt: Instant }

export function createIssuerKeys(deps: Deps): IssuerKeys {
  const kept = new Map<string, Kept>()
  const underWay = new Map<string, Promise<Kept>>()
  const read = (issuer: DeclaredIssuer): Promise<Kept> => {
    const name = JSON.stringify(issuer)
    const before = underWay.get(name)
    if (before) return before
    const reading = readKeys(deps, issuer)
      .then((keys) => {
        const now: Kept = { find: createLocalJWKSet({ keys }), readAt: deps.runtime.now() }
        kept.set(name, now)
        return now
      })
      .finally(() => underWay.delete(name))
    underWay.set(name, reading)
    return reading
  }
  return {
    of: (issuer) => async (header, token) => {
      const known = kept.get(JSON.stringify(issuer))
      const now = deps.runtime.now()
      const isFresh = known && now < after(known.readAt, identityLimits.issuerKeysKept)
      const { find, readAt } = isFresh ? known : await read(issuer)
      try {
        return await find(header, token)
      } catch (error) {
        const mayAsk = isFresh && now >= after(readAt, identityLimits.issuerKeysAgain)
        if (!(error instanceof errors.JWKSNoMatchingKey) || !mayAsk) throw error
        return (await read(issuer)).find(header, token)
      }
    },
  }
}

async function readKeys({ secrets }: Deps, issuer: DeclaredIssuer): Promise<JWK[]> {
  const { keys } = issuer
  const text = keys?.startsWith('file:')
    ? await resolveReference(keys, secrets)
    : await fetchText(keys ?? (await discover(issuer)))
  const said = JSON.parse(text) as { readonly keys?: unknown }
  if (!Array.isArray(said.keys)) throw new Error('The issuer’s keys are no JWKS.')
  return said.keys.slice(0, identityLimits.issuerKeys).flatMap((key) => usable(key, issuer))
}

/** Keys to sign tokens with. A SPIFFE bundle says so in a word of its own, and has others beside. */
function usable(key: unknown, { platform }: DeclaredIssuer): JWK[] {
  if (typeof key !== 'object' || key === null) return []
  const { use, ...jwk } = key as JWK
  if (typeof jwk.kty !== 'string' || jwk.kty === 'oct') return []
  if (platform === 'spiffe' && use === 'jwt-svid') return [jwk]
  return use === undefined || use === 'sig' ? [jwk] : []
}

/** Where the issuer says that its keys are (OpenID Connect Discovery 1.0, section 4). */
async function discover({ issuer }: DeclaredIssuer): Promise<string> {
  const text = await fetchText(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const said = JSON.parse(text) as { readonly issuer?: unknown; readonly jwks_uri?: unknown }
  if (said.issuer !== issuer) throw new Error('The discovery document is another issuer’s.')
  const { jwks_uri: keys } = said
  if (typeof keys !== 'string' || !URL.canParse(keys)) throw new Error('The issuer does not say where its keys are.')
  const isAsSafe = new URL(keys).protocol === 'https:' || new URL(keys).origin === new URL(issuer).origin
  if (!isAsSafe) throw new Error('The issuer’s keys are at an address without TLS.')
  return keys
}

async function fetchText(url: string): Promise<string> {
  const signal = AbortSignal.timeout(identityLimits.providerPatience)
  const response = await fetch(url, {
    // Whoever may send us elsewhere decides whose keys they are.
    redirect: 'error',
    headers: { accept: 'application/json' },
    signal,
  })
  if (response.status !== 200) throw new Error(`The issuer answered ${response.status}.`)
  return readBounded(response, signal)
}

/** On Node.js 20 a `fetch` that takes no redirect is deaf to its signal once garbage is collected: the stream is not. */
async function readBounded({ body }: Response, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), { signal }) ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > identityLimits.issuerAnswerBytes) throw new Error('The issuer’s answer is too long.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
