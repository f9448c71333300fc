/** Calls in the name of a login: each with its token and a proof of its key, and the token made anew before it is over. */

import { ApiError } from '@tidegate/api'
import type { Client, ErrorCode } from '@tidegate/api'
import * as oidc from 'openid-client'
import type { Context } from '../context.ts'
import type { ExitName } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { patience } from '../limits.ts'
import type { KeptAt } from '../settings.ts'
import type { Demand, KeyPair } from './authorization-server.ts'
import { configOf, importKey } from './authorization-server.ts'
import type { KeptLogin } from './kept-login.ts'
import { readLogin, rewriteLogin } from './kept-login.ts'
import { withLoginLock } from './lock.ts'
import { refresh } from './sign-in.ts'

type Holding = { readonly login: KeptLogin; readonly key: KeyPair; readonly handle: oidc.DPoPHandle }

/** Sees to it that more is proved. @returns where the login is kept from then on */
export type Prove = (at: KeptAt, demand: Demand) => Promise<KeptAt>

/** @param prove absent: whoever has to prove more is told so */
export async function createLoginFetch(context: Context, at: KeptAt, prove?: Prove): Promise<typeof fetch> {
  const holder = await createHolder(context, at)
  return async (input, init = {}) => {
    const request = { input, init }
    const { response, demand } = await sendKnown(context, holder, request)
    if (demand === undefined || prove === undefined) return response
    await holder.strengthen((place) => prove(place, demand)).catch(asAnswer)
    // Once: whoever is asked the same again has not what it takes.
    return (await sendKnown(context, holder, request)).response
  }
}

async function sendKnown(context: Context, holder: Holder, request: Request): Promise<Answer> {
  const holding = await holder.current().catch(asAnswer)
  const first = await send(context, holding, request)
  if (first.response.status !== 401 || first.demand !== undefined) return first
  // Ours may be over by the clock of the server: asked once more with a new one.
  return send(context, await holder.renew(holding).catch(asAnswer), request)
}

/** To whoever calls it is as if the server had said so. */
function asAnswer(error: unknown): never {
  const code = error instanceof Failure ? codes[error.exit] : undefined
  if (code === undefined) throw error
  throw new ApiError(code, { detail: (error as Failure).message, cause: error })
}

/** Refused in the browser, or by nobody being there: what it takes was not proved. */
const codes: Partial<Record<ExitName, ErrorCode>> = {
  unauthenticated: 'unauthenticated',
  refused: 'step-up-needed',
  'step-up': 'step-up-needed',
}

type Request = { readonly input: Parameters<typeof fetch>[0]; readonly init: RequestInit }

/** @property demand what would make it another (RFC 9470) */
type Answer = { readonly response: Response; readonly demand?: Demand }

async function send(context: Context, { login, handle }: Holding, { input, init }: Request): Promise<Answer> {
  const { method = 'GET', body, headers, signal } = init
  const config = configOf(context, login, signal ?? undefined)
  const url = new URL(input instanceof Request ? input.url : input)
  if (body !== undefined && typeof body !== 'string') throw new Error('Only text is sent with a login.')
  const sent = new Headers(headers)
  try {
    const response = await oidc.fetchProtectedResource(config, login.accessToken, url, method, body, sent, {
      DPoP: handle,
    })
    return { response }
  } catch (error) {
    // What says how to be known is an answer, too.
    if (error instanceof oidc.WWWAuthenticateChallengeError) return challenged(error)
    throw error
  }
}

function challenged({ response, cause }: oidc.WWWAuthenticateChallengeError): Answer {
  const found = cause.find(({ parameters }) => parameters.error === 'insufficient_user_authentication')
  if (!found) return { response }
  const { acr_values: acr, max_age: age, error_description: said } = found.parameters
  const demand = { acr_values: acr, max_age: age, said }
  return { response, demand: Object.fromEntries(Object.entries(demand).filter(([, value]) => value !== undefined)) }
}

async function readHolding(context: Context, at: KeptAt): Promise<Holding> {
  const login = await readLogin(context, at)
  const key = await importKey(login.key)
  // One for all calls: it remembers the nonce that takes the place of a clock that is off.
  return { login, key, handle: oidc.getDPoPHandle(configOf(context, login), key) }
}

type Holder = Awaited<ReturnType<typeof createHolder>>

async function createHolder(context: Context, kept: KeptAt) {
  let at = kept
  let holding = await readHolding(context, at)
  let renewing: Promise<Holding> | undefined
  const renew = (before: Holding): Promise<Holding> => {
    if (holding.login.accessToken !== before.login.accessToken) return Promise.resolve(holding)
    renewing ??= renewed(context, at, before)
      .then((next) => (holding = next))
      .finally(() => (renewing = undefined))
    return renewing
  }
  return {
    renew,
    async strengthen(prove: (at: KeptAt) => Promise<KeptAt>) {
      at = await prove(at)
      holding = await readHolding(context, at)
    },
    current: (): Promise<Holding> => (isFresh(context, holding.login) ? Promise.resolve(holding) : renew(holding)),
  }
}

const isFresh = ({ now }: Context, { accessEndsAt }: KeptLogin): boolean => now() < accessEndsAt - patience.earlierMs

/** Of several processes one asks, and the others find what it got. */
const renewed = (context: Context, at: KeptAt, before: Holding): Promise<Holding> =>
  withLoginLock(context, async () => {
    const kept = await readLogin(context, at)
    if (kept.accessToken !== before.login.accessToken && isFresh(context, kept)) return { ...before, login: kept }
    const next = await refresh(context, kept, before.key)
    await rewriteLogin(context, next, at)
    return { ...before, login: next }
  })

/** For as long as its access token lasts: of a login that is not kept anywhere yet. */
export async function clientOfLogin(context: Context, login: KeptLogin): Promise<Client> {
  const key = await importKey(login.key)
  const holding = { login, key, handle: oidc.getDPoPHandle(configOf(context, login), key) }
  return context.createClient({
    url: login.url,
    fetch: async (input, init = {}) => (await send(context, holding, { input, init })).response,
  })
}
