/** The person in front of a browser, for pages that ask them something. */

import { ApiError } from '@tidegate/api'
import type { LoginId } from '@tidegate/core'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../identity/identity.ts'
import type { LoginDeps } from '../identity/logins/cookie-identity.ts'
import { callerByCookie } from '../identity/logins/cookie-identity.ts'
import { isFromOwnPage } from '../identity/logins/own-page.ts'

/** Whoever is not signed in is sent to do so, and comes back. @returns `undefined`: they were sent */
export async function signedInPerson(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Caller | undefined> {
  const known = await callerByCookie(deps, request)
  if (known?.setCookie !== undefined) void reply.header('set-cookie', known.setCookie)
  if (known) return known.caller
  void reply.redirect(`/login?return=${encodeURIComponent(request.url)}`, 303)
  return undefined
}

/** Of a form that they sent from the page itself. @throws {ApiError} for every other */
export async function answeringPerson(
  deps: LoginDeps,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<{ readonly caller: Caller; readonly user: string; readonly login: LoginId }> {
  if (!isFromOwnPage(request, deps.publicUrl()))
    throw new ApiError('forbidden', { detail: 'Answer on the page itself.' })
  const known = await callerByCookie(deps, request)
  if (known?.setCookie !== undefined) void reply.header('set-cookie', known.setCookie)
  if (known?.caller.login === undefined) throw new ApiError('unauthenticated')
  const { caller } = known
  return { caller, user: caller.principal.id, login: caller.login as LoginId }
}
