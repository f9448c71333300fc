/** The way to the control plane: enrolling once, signing in again and again, and asking with the token of that. */

import { setMaxListeners } from 'node:events'
import { ApiError, type CallOptions, type Client, createClient, type ErrorCode } from '@tidegate/api'
import { formatInstant, instant, type Instant, parseInstant } from '@tidegate/core'
import { type Address, enrolmentText, signInText } from './contract.ts'
import type { Enrolled, Identity } from './identity.ts'
import { controlLimits as limits } from './limits.ts'
import { within } from './retry.ts'
import type { ServerClock } from './server-clock.ts'

/** The control plane does not know this gateway any more, or does not take its key. It will not change its mind. */
export class PutOut extends Error {
  override readonly name = 'PutOut'
}

export type Ask<T> = (client: Client, options: CallOptions) => Promise<T>

export type ControlPlane = {
  /** @throws PutOut, or what went wrong; @param waitMs that the answer may be kept back */
  readonly ask: <T>(ask: Ask<T>, waitMs?: number) => Promise<T>
  readonly stop: () => void
}

export type Connecting = {
  readonly url: string
  readonly identity: Identity
  readonly address: Address
  readonly fetch?: typeof fetch | undefined
}

type Token = { readonly client: Client; readonly renewAt: Instant; readonly expiresAt: Instant }

/** @throws what the client throws: `ApiError` */
export async function enrol({ url, identity, address, fetch }: Connecting, token: string): Promise<Enrolled> {
  const client = createClient({ url, token: '', ...(fetch && { fetch }) })
  const { signal } = new AbortController()
  const { publicKey } = identity
  const signature = identity.sign(enrolmentText({ token, address }))
  const { gateway } = await within({ ms: limits.answerMs, signal }, (signal) =>
    client.enrolGateway({ token, publicKey, address, signature }, { signal }),
  )
  return { gateway, url }
}

export type SignedIn = { readonly token: string; readonly expiresAt: string }

/** `now`: by the server's clock, as far as it can be told. */
export type SigningIn = { readonly now: Instant; readonly signal: AbortSignal }

/** @throws PutOut */
export type SignIn = (signing: SigningIn) => Promise<SignedIn>

type Way = Pick<Connecting, 'url' | 'fetch'> & { readonly clock: ServerClock; readonly signIn: SignIn }

export function connectControlPlane({ url, clock, fetch: via = fetch, signIn }: Way): ControlPlane {
  const stopped = new AbortController()
  const { signal } = stopped
  // One for each call that is under way: more than Node expects of one signal.
  setMaxListeners(0, signal)
  let token: Token | undefined
  let signing: Promise<Token> | undefined

  const signInNow = async (): Promise<Token> => {
    const { token, expiresAt } = await signIn({ now: clock.now(), signal })
    return tokenOf(createClient({ url, token, fetch: via }), parseInstant(expiresAt), clock.now())
  }
  const signedIn = async (): Promise<Token> => {
    signing ??= signInNow().finally(() => (signing = undefined))
    token = await signing
    return token
  }
  /** One that is still good is gone on with where signing in fails. */
  const current = async (): Promise<Token> => {
    const known = token
    if (known !== undefined && clock.now() < known.renewAt) return known
    try {
      return await signedIn()
    } catch (error) {
      if (error instanceof PutOut || known === undefined || clock.now() >= known.expiresAt) throw error
      return known
    }
  }

  return {
    async ask(ask, waitMs = 0) {
      const bounds = { ms: waitMs + limits.answerMs, signal }
      const used = await current()
      try {
        return await within(bounds, (signal) => ask(used.client, { signal }))
      } catch (error) {
        if (codeOf(error) !== 'unauthenticated') throw error
      }
      // Forgotten, revoked, or over before its time: whoever may still sign in goes on.
      if (token === used) token = undefined
      const { client } = await current()
      return within(bounds, (signal) => ask(client, { signal }))
    },
    stop: () => stopped.abort(),
  }
}

/**
 * A sign-in names a time, which has to be later than at any before and near the server's. A refusal does not say what
 * was wrong; it may have been the time, so it is tried once more by the time that the answer came with.
 */
export function createSignIn(connecting: Connecting, gateway: string): SignIn {
  const { url, identity, address, fetch: via = fetch } = connecting
  let serverSays: number | undefined
  /** That was taken. One that was refused binds nobody, and may have been hours ahead. */
  let last = 0
  const listening: typeof fetch = async (input, init) => {
    const response = await via(input, init)
    const said = Date.parse(response.headers.get('date') ?? '')
    serverSays = Number.isNaN(said) ? undefined : said
    return response
  }
  const client = createClient({ url, token: '', fetch: listening })

  const attempt = async (time: number, signal: AbortSignal): Promise<SignedIn> => {
    const later = Math.max(time, last + 1)
    const at = formatInstant(instant(later))
    const signature = identity.sign(signInText({ gateway, at, address }))
    const signedIn = await within({ ms: limits.answerMs, signal }, (signal) =>
      client.issueGatewayToken({ gateway, at, address, signature }, { signal }),
    )
    last = later
    return signedIn
  }
  return async ({ now, signal }) => {
    try {
      return await attempt(now, signal)
    } catch (error) {
      if (!isRefused(error) || serverSays === undefined) return putOut(error)
    }
    // It comes in whole seconds, and what was signed before was later than the first of this one.
    return attempt(serverSays + 1_000, signal).catch(putOut)
  }
}

function tokenOf(client: Client, expiresAt: Instant | undefined, now: Instant): Token {
  if (expiresAt === undefined) throw new Error('the server gave a token without saying for how long')
  return { client, expiresAt, renewAt: instant(expiresAt - Math.max(0, expiresAt - now) * limits.renewAt) }
}

function putOut(error: unknown): never {
  if (!isRefused(error)) throw error
  throw new PutOut('the control plane does not take the identity of this gateway')
}

const isRefused = (error: unknown): boolean =>
  ['unauthenticated', 'forbidden', 'not-found'].includes(codeOf(error) ?? '')

/** Of the server's answer. Absent: there was none. */
export const codeOf = (error: unknown): ErrorCode | undefined => (error instanceof ApiError ? error.code : undefined)
