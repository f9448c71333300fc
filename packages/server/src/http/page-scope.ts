/** What all of our pages share: callers are counted, forms are read, and who is signed in is known by their cookie. */

import { ApiError } from '@tidegate/api'
import type { Instant, LoginId, Millis } from '@tidegate/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../identity/identity.ts'
import type { LoginDeps } from '../identity/logins/cookie-identity.ts'
import { callerByCookie } from '../identity/logins/cookie-identity.ts'
import { cookieOf } from '../identity/logins/cookie.ts'
import { isFromOwnPage } from '../identity/logins/own-page.ts'
import { acceptForms } from './forms.ts'
import { strangerLimits } from './limits.ts'
import { countStranger } from './operations-routes.ts'
import { createThrottle } from './throttle.ts'

export function registerPages(app: FastifyInstance, routes: (scope: FastifyInstance) => void): void {
  const strangers = createThrottle({ limits: strangerLimits })
  void app.register((scope, _options, done) => {
    scope.addHook('onRequest', async (request) => countStranger(strangers, request))
    acceptForms(scope)
    routes(scope)
    done()
  })
}

/** A field of the form that was sent; empty where it is not there, or there twice. */
export function fieldOf({ body }: FastifyRequest, name: string): string {
  const all = body instanceof URLSearchParams ? body.getAll(name) : []
  return all.length === 1 ? (all[0] ?? '') : ''
}

export const queryOf = ({ query }: FastifyRequest, name: string): unknown => (query as Record<string, unknown>)[name]

/** @throws {ApiError} `forbidden` for a form that is not one of ours */
export function checkOwnPage({ publicUrl }: LoginDeps, request: FastifyRequest): void {
  if (!isFromOwnPage(request, publicUrl()))
    throw new ApiError('forbidden', { detail: 'This is done on the page itself.' })
}

export type SignedIn = { readonly caller: Caller; readonly user: string; readonly login: LoginId }

/** `undefined`: nobody, and they were sent to sign in. */
export async function signedIn(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<SignedIn | undefined> {
  const person = await personOf(deps, request, reply)
  if (person) return person
  const back = request.method === 'GET' ? request.url : '/login'
  void reply.redirect(`/login?return=${encodeURIComponent(back)}`, 303)
  return undefined
}

/** Whoever sent a form from one of our pages. @throws {ApiError} for every other form, and for nobody */
export async function answering(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply): Promise<SignedIn> {
  checkOwnPage(deps, request)
  const person = await personOf(deps, request, reply)
  if (!person) throw new ApiError('unauthenticated')
  return person
}

async function personOf(deps: LoginDeps, request: FastifyRequest, reply: FastifyReply): Promise<SignedIn | undefined> {
  const known = await callerByCookie(deps, request)
  if (known?.setCookie !== undefined) void reply.header('set-cookie', known.setCookie)
  const login = known?.caller.login
  if (!known || login === undefined) return undefined
  return { caller: known.caller, user: known.caller.principal.id, login: login as LoginId }
}

type Held = { readonly secret: string; readonly endsAt: Instant; readonly now: Instant }

/** In place of what the browser held, and of what it was given on the way in. */
export function giveCookie(reply: FastifyReply, { secret, endsAt, now }: Held): void {
  reply.removeHeader('set-cookie')
  void reply.header('set-cookie', cookieOf('login', secret, (endsAt - now) as Millis))
}
