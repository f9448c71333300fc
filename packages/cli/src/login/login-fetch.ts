/** Calls in the name of a login: each with its token and a proof of its key, and the token made anew before it is over. */

import { ApiError } from '@tidegate/api'
import type { Client } from '@tidegate/api'
import * as oidc from 'openid-client'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { Failure } from '../failure.ts'
import { patience } from '../limits.ts'
import type { KeptAt } from '../settings.ts'
import { statePath } from '../settings.ts'
import type { KeyPair } from './authorization-server.ts'
import { configOf, importKey } from './authorization-server.ts'
import type { KeptLogin } from './kept-login.ts'
import { readLogin, rewriteLogin } from './kept-login.ts'
import { withLock } from './lock.ts'
import { refresh } from './sign-in.ts'

type Holding = { readonly login: KeptLogin; readonly key: KeyPair }

export async function createLoginFetch(context: Context, at: KeptAt): Promise<typeof fetch> {
  const holder = await createHolder(context, at)
  return async (input, init = {}) => {
    const holding = await holder.current().catch(asAnswer)
    const first = await send(context, holding, { input, init })
    if (!isUnknown(first)) return first
    // Ours may be over by the clock of the server: asked once more with a new one.
    return send(context, await holder.renew(holding).catch(asAnswer), { input, init })
  }
}

/** To whoever calls it is as if the server had said so. */
function asAnswer(error: unknown): never {
  if (!(error instanceof Failure) || error.exit !== 'unauthenticated') throw error
  throw new ApiError('unauthenticated', { detail: error.message, cause: error })
}

type Request = { readonly input: Parameters<typeof fetch>[0]; readonly init: RequestInit }

async function send(context: Context, { login, key }: Holding, { input, init }: Request): Promise<Response> {
  const { method = 'GET', body, headers, signal } = init
  const config = configOf(context, login, signal ?? undefined)
  const url = new URL(input instanceof Request ? input.url : input)
  if (body !== undefined && typeof body !== 'string') throw new Error('Only text is sent with a login.')
  const DPoP = oidc.getDPoPHandle(config, key)
  try {
    return await oidc.fetchProtectedResource(config, login.accessToken, url, method, body, new Headers(headers), {
      DPoP,
    })
  } catch (error) {
    // What says how to be known is an answer, too.
    if (error instanceof oidc.WWWAuthenticateChallengeError) return error.response
    throw error
  }
}

/** Not where more is asked for than a newer token would prove (RFC 9470). */
const isUnknown = ({ status, headers }: Response): boolean =>
  status === 401 && !(headers.get('www-authenticate') ?? '').includes('insufficient_user_authentication')

async function createHolder(context: Context, at: KeptAt) {
  const first = await readLogin(context, at)
  let holding: Holding = { login: first, key: await importKey(first.key) }
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
    current: (): Promise<Holding> => (isFresh(context, holding.login) ? Promise.resolve(holding) : renew(holding)),
  }
}

const isFresh = ({ now }: Context, { accessEndsAt }: KeptLogin): boolean => now() < accessEndsAt - patience.earlierMs

/** Of several processes one asks, and the others find what it got. */
const renewed = (context: Context, at: KeptAt, { login, key }: Holding): Promise<Holding> =>
  withLock(context, join(statePath(context), 'login.lock'), async () => {
    const kept = await readLogin(context, at)
    if (kept.accessToken !== login.accessToken && isFresh(context, kept)) return { login: kept, key }
    const next = await refresh(context, kept, key)
    await rewriteLogin(context, next, at)
    return { login: next, key }
  })

/** For as long as its access token lasts: of a login that is not kept anywhere yet. */
export async function clientOfLogin(context: Context, login: KeptLogin): Promise<Client> {
  const key = await importKey(login.key)
  return context.createClient({
    url: login.url,
    fetch: (input, init = {}) => send(context, { login, key }, { input, init }),
  })
}
