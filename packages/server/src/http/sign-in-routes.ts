/**
 * Where browsers sign in and out. Not operations of the API: they are navigated to, answer with pages, and send people to
 * their provider and back.
 */

import { ApiError } from '@tidegate/api'
import type { Authentication } from '@tidegate/core'
import { formatInstant } from '@tidegate/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { domainOf, providerOfDomain } from '../configuration/identity-rules.ts'
import type { DeclaredProvider } from '../configuration/schema.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import { isStrongEnough, readNeed } from '../identity/factors/need.ts'
import { usesToTell } from '../identity/factors/recovery-codes.ts'
import { resetToTell } from '../identity/factors/reset.ts'
import type { Caller } from '../identity/identity.ts'
import type { Hashing } from '../identity/local/hashing.ts'
import type { LoginDeps } from '../identity/logins/cookie-identity.ts'
import { callerByCookie } from '../identity/logins/cookie-identity.ts'
import { cookieOf, noCookie, readCookie } from '../identity/logins/cookie.ts'
import { endLogins } from '../identity/logins/logins.ts'
import { isFromOwnPage } from '../identity/logins/own-page.ts'
import { identityLimits } from '../identity/limits.ts'
import { openAttempt, sealAttempt } from '../identity/people/attempt.ts'
import { takeLogout } from '../identity/people/logout.ts'
import type { Attempt, Providers } from '../identity/people/provider.ts'
import { returnPath } from '../identity/people/return-to.ts'
import { signIn } from '../identity/people/sign-in.ts'
import type { Lifecycle } from '../lifecycle/context.ts'
import type { MasterKey } from '../secrets/envelope.ts'
import { change } from '../store/change.ts'
import { acceptForms, clientOf } from './forms.ts'
import { strangerLimits } from './limits.ts'
import { countStranger } from './operations-routes.ts'
import type { Html } from './pages.ts'
import { html, sendPage } from './pages.ts'
import { createThrottle } from './throttle.ts'

export type SignInDeps = LoginDeps &
  Lifecycle & { readonly providers: Providers; readonly hashing: Hashing; readonly key: MasterKey }

export function registerSignIn(app: FastifyInstance, deps: SignInDeps): void {
  const strangers = createThrottle({ limits: strangerLimits })
  void app.register((scope, _options, done) => {
    // Nobody is known here yet, and each call may cost a provider as well as us.
    scope.addHook('onRequest', async (request) => countStranger(strangers, request))
    acceptForms(scope)
    scope.get('/login', (request, reply) => showLogin(deps, request, reply))
    scope.get('/login/:provider', (request, reply) => leave(deps, request, reply))
    scope.get('/login/callback/:provider', (request, reply) => comeBack(deps, request, reply))
    scope.get('/logout', (_request, reply) => sendPage(reply, 'Sign out', signOutForm))
    scope.post('/logout', (request, reply) => signOut(deps, request, reply))
    scope.post('/backchannel-logout/:provider', (request, reply) => hearLogout(deps, request, reply))
    done()
  })
}

const queryOf = (request: FastifyRequest): Record<string, unknown> => request.query as Record<string, unknown>

/** @throws {ApiError} `not-found` where nobody signs in at a provider of that name */
async function providerOf(
  { configurations, db }: SignInDeps,
  request: FastifyRequest,
): Promise<{ readonly snapshot: Snapshot; readonly provider: DeclaredProvider }> {
  const { provider: id } = request.params as { readonly provider: string }
  const snapshot = await configurations.current(db)
  const provider = snapshot.declared.identity.providers.find((one) => one.id === id)
  if (!provider) throw new ApiError('not-found', { detail: 'Nobody signs in there.' })
  return { snapshot, provider }
}

const leaving = (id: string, returnTo: string): string => `/login/${id}?return=${encodeURIComponent(returnTo)}`

async function showLogin(deps: SignInDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const known = await callerByCookie(deps, request)
  if (known?.setCookie !== undefined) void reply.header('set-cookie', known.setCookie)
  if (known)
    return sendPage(
      reply,
      'Tidegate',
      html`<h1>Tidegate</h1>
        <p>You are signed in as ${known.caller.principal.id}.</p>
        ${await notices(deps, known.caller)}
        <p><a href="/account">Your second factors</a></p>
        ${signOutForm}`,
    )
  const { identity } = (await deps.configurations.current(deps.db)).declared
  const { email, return: asked } = queryOf(request)
  const returnTo = returnPath(asked)
  const [only, another] = identity.providers
  const here = `/login/local?return=${encodeURIComponent(returnTo)}`
  if (!only && identity.local) return reply.redirect(here, 303)
  if (!only)
    return sendPage(
      reply,
      'Tidegate',
      html`<h1>Tidegate</h1>
        <p>Nobody signs in here with a browser: configuration names no identity provider.</p>`,
    )
  if (!another && !identity.local) return reply.redirect(leaving(only.id, returnTo), 303)
  const local = identity.local ? html`<p><a href="${here}">Sign in with an account of Tidegate</a></p>` : html``
  if (typeof email !== 'string') return sendPage(reply, 'Sign in', html`${addressForm(returnTo)}${local}`)
  const provider = providerOfDomain(identity, email)
  const body = provider
    ? // A form may not lead to another site; a link does.
      html`<h1>Sign in</h1>
        <p><a href="${leaving(provider.id, returnTo)}">Continue at ${provider.id}</a></p>`
    : html`<h1>Sign in</h1>
        <p>Nobody of ${domainOf(email) ?? 'that address'} signs in here.</p>
        ${addressForm(returnTo)}`
  return sendPage(reply, 'Sign in', body)
}

/** Of a recovery code once, by another login than the one that it was for. */
async function notices(deps: SignInDeps, { principal, login }: Caller): Promise<Html> {
  const user = principal.id
  const used = login === undefined ? [] : await change(deps, (unit) => usesToTell(unit, { user, login }))
  return html`${await resetNotice(deps, user)}
  ${used.map(
    ({ at }) =>
      html`<p role="alert">
        A recovery code of yours was used at ${formatInstant(at)}. If that was not you, end your logins, make new codes,
        and tell an administrator.
      </p>`,
  )}`
}

/** To whoever has lost them, and to whoever has come in since. */
export async function resetNotice({ db, runtime }: SignInDeps, user: string): Promise<Html> {
  const reset = await resetToTell(db, user, runtime.now())
  if (!reset) return html``
  return html`<p role="alert">
    Your second factors were reset at ${formatInstant(reset.at)}, by ${reset.by}. If you did not ask for that, tell
    another administrator. <a href="/account">Add new ones.</a>
  </p>`
}

const addressForm = (returnTo: string) =>
  html` <form method="get" action="/login">
    <input type="hidden" name="return" value="${returnTo}" />
    <label>Your mail address <input type="email" name="email" autocomplete="email" required autofocus /></label>
    <button>Continue</button>
  </form>`

const signOutForm = html`<form method="post" action="/logout"><button>Sign out</button></form>`

async function leave(deps: SignInDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { provider } = await providerOf(deps, request)
  const returnTo = returnPath(queryOf(request)['return'])
  const need = readNeed(queryOf(request)['need'])
  const { url, attempt } = await deps.providers
    .begin({ provider, publicUrl: deps.publicUrl(), returnTo, ...(need && { need }) })
    .catch((cause: unknown) => {
      request.log.warn({ err: cause, provider: provider.id }, 'an identity provider cannot be used')
      throw new ApiError('unavailable', { detail: `${provider.id} cannot be reached. Try again in a moment.` })
    })
  const sealed = sealAttempt(attempt, { key: deps.key, random: deps.runtime.random })
  return reply.header('set-cookie', cookieOf('attempt', sealed, identityLimits.attempt)).redirect(url.href, 303)
}

/** Whatever was wrong, people are told the same: what exactly stands in the process log. */
const failedPage = (reply: FastifyReply): FastifyReply =>
  sendPage(
    reply.code(400),
    'Sign in',
    html`<h1>You are not signed in</h1>
      <p>It took too long, was begun in another browser, or your provider did not confirm it.</p>
      <p><a href="/login">Sign in again</a></p>`,
  )

async function comeBack(deps: SignInDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { provider } = await providerOf(deps, request)
  const sealed = readCookie(request.headers.cookie, 'attempt')
  const attempt = openAttempt(sealed, { key: deps.key, now: deps.runtime.now() })
  // It counts once, whatever comes of it.
  void reply.header('set-cookie', noCookie('attempt'))
  if (!attempt || attempt.provider !== provider.id) return failedPage(reply)
  const signedIn = await finished(deps, request, { provider, attempt })
  if (!signedIn) return failedPage(reply)
  if (!isWhatWasAsked(signedIn.authentication, attempt)) return weakPage(reply, attempt)
  const before = (await callerByCookie(deps, request))?.caller.login
  const client = clientOf(request)
  const outcome = await signIn(deps, { provider, signedIn, client, ...(before !== undefined && { before }) })
  if ('refused' in outcome) {
    request.log.warn({ provider: provider.id, cause: outcome.refused }, 'a sign-in was refused')
    return sendPage(
      reply.code(403),
      'Sign in',
      html`<h1>You are not known here</h1>
        <p>
          ${provider.id} confirmed who you are, and Tidegate does not let that person in. Ask an administrator; the
          audit log says why.
        </p>`,
    )
  }
  void reply.header('set-cookie', cookieOf('login', outcome.secret, outcome.lasts))
  return reply.redirect(attempt.returnTo, 303)
}

/** The provider may have let them through as they were, or may not say when it asked them. */
function isWhatWasAsked(authentication: Authentication, { need, endsAt }: Attempt): boolean {
  if (need === undefined) return true
  const leftAt = endsAt - identityLimits.attempt - identityLimits.skew
  return isStrongEnough(authentication, need) && authentication.at >= leftAt
}

const weakPage = (reply: FastifyReply, { provider }: Attempt): FastifyReply =>
  sendPage(
    reply.code(403),
    'Sign in',
    html`<h1>That was not enough</h1>
      <p>${provider} did not say that you proved now what is asked for. You are signed in as before.</p>
      <p><a href="/account">Add a second factor here</a>, or ask whoever runs ${provider}.</p>`,
  )

async function finished(
  deps: SignInDeps,
  request: FastifyRequest,
  { provider, attempt }: { readonly provider: DeclaredProvider; readonly attempt: Attempt },
) {
  try {
    return await deps.providers.finish({ provider, attempt, url: new URL(request.url, deps.publicUrl()) })
  } catch (cause) {
    request.log.warn({ err: withoutText(cause), provider: provider.id }, 'a sign-in was not confirmed')
    return undefined
  }
}

/** What a provider answered may quote what was sent; its code says what it was about. */
function withoutText(cause: unknown): Error {
  const { name, code } = cause instanceof Error ? (cause as NodeJS.ErrnoException) : {}
  return Object.assign(new Error(name ?? 'unknown'), typeof code === 'string' ? { code } : {})
}

async function signOut(deps: SignInDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (!isFromOwnPage(request, deps.publicUrl()))
    throw new ApiError('forbidden', { detail: 'Sign out on the page itself.' })
  const login = (await callerByCookie(deps, request))?.caller.login
  void reply.header('set-cookie', noCookie('login'))
  const provider = login === undefined ? undefined : await endOne(deps, login)
  const elsewhere = provider && (await deps.providers.logoutUrl(provider, deps.publicUrl()).catch(() => undefined))
  const link = elsewhere ? html`<p><a href="${elsewhere.href}">Sign out of ${provider.id}, too</a></p>` : html``
  return sendPage(
    reply,
    'Signed out',
    html`<h1>You are signed out</h1>
      ${link}
      <p><a href="/login">Sign in again</a></p>`,
  )
}

/** @returns where they had signed in */
async function endOne(deps: SignInDeps, id: string): Promise<DeclaredProvider | undefined> {
  const row = await deps.db.selectFrom('login').select('provider').where('id', '=', id).executeTakeFirst()
  await change(deps, (unit) => endLogins(unit, { ids: [id] }, { reason: 'signed-out' }))
  const { identity } = (await deps.configurations.current(deps.db)).declared
  return identity.providers.find((one) => one.id === row?.provider)
}

async function hearLogout(deps: SignInDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { provider } = await providerOf(deps, request)
  const token = request.body instanceof URLSearchParams ? request.body.getAll('logout_token') : []
  const heard = token.length === 1 && (await takeLogout(deps, { provider, token: token[0] as string }))
  if (heard) return reply.code(200).send()
  return reply
    .code(400)
    .type('application/json')
    .send(JSON.stringify({ error: 'invalid_request' }))
}
