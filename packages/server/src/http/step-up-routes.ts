/** Where someone who is signed in proves more: with a passkey, with a code, or at their provider once more. */

import { ApiError } from '@tidegate/api'
import { formatDuration } from '@tidegate/core'
import type { Instant, Millis } from '@tidegate/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Factors } from '../identity/factors/factors.ts'
import { factorsOf } from '../identity/factors/factors.ts'
import { factorLimits } from '../identity/factors/limits.ts'
import type { Need } from '../identity/factors/need.ts'
import { isProved, readNeed } from '../identity/factors/need.ts'
import type { Place } from '../identity/factors/passkeys.ts'
import { placeOf } from '../identity/factors/passkeys.ts'
import type { SteppedUp, Stepping } from '../identity/factors/step-up.ts'
import { stepUpByCode, stepUpByPasskey } from '../identity/factors/step-up.ts'
import { returnPath } from '../identity/people/return-to.ts'
import { change } from '../store/change.ts'
import type { SignedIn } from './page-scope.ts'
import { checkOwnPage, fieldOf, giveCookie, queryOf, registerPages, signedIn } from './page-scope.ts'
import type { Html } from './pages.ts'
import { html, sendScriptedPage } from './pages.ts'
import { passkeyForm } from './passkey-forms.ts'
import type { SignInDeps } from './sign-in-routes.ts'

export function registerStepUp(app: FastifyInstance, deps: SignInDeps): void {
  registerPages(app, (scope) => {
    scope.get('/step-up', (request, reply) => show(deps, request, reply))
    scope.post('/step-up/passkey', (request, reply) => take(deps, { request, reply }, byPasskey))
    scope.post('/step-up/code', (request, reply) => take(deps, { request, reply }, byCode))
  })
}

export const stepUpPath = (need: Need, returnTo: string): string =>
  `/step-up?${new URLSearchParams({ need, return: returnTo }).toString()}`

type Wanted = { readonly need: Need; readonly returnTo: string }

async function show(deps: SignInDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const need = readNeed(queryOf(request, 'need')) ?? 'mfa'
  const returnTo = returnPath(queryOf(request, 'return'))
  const who = await signedIn(deps, request, reply)
  if (!who) return reply
  const now = deps.runtime.now()
  if (isProved(who.caller.authentication, need, { now, within: factorLimits.fresh }))
    return reply.redirect(returnTo, 303)
  return showWays(deps, reply, { who, need, returnTo })
}

type Showing = Wanted & { readonly who: SignedIn; readonly told?: string }

async function showWays(
  deps: SignInDeps,
  reply: FastifyReply,
  { who, need, returnTo, told }: Showing,
): Promise<FastifyReply> {
  const factors = await factorsOf(deps.db, who.user)
  const wanted = { need, returnTo }
  const ways = [
    ...(await passkeyWay(deps, who, { ...wanted, factors })),
    ...codeWay(factors, wanted),
    ...(await providerWay(deps, who, wanted)),
  ]
  const said = told === undefined ? html`` : html`<p role="alert">${told}</p>`
  return sendScriptedPage(
    reply,
    'Confirm it is you',
    html`<h1>Confirm it is you</h1>
      <p>
        ${needWords[need]}${isForCommandLine(returnTo) ? ' Your command line asks for it; you allow it on the next page, or not.' : ''}
      </p>
      ${said} ${ways.length > 0 ? ways : noWay(need)}`,
  )
}

const isForCommandLine = (returnTo: string): boolean => /^\/(oauth\/authorize|device)\?/.test(returnTo)

const needWords: Record<Need, string> = {
  'sign-in': 'What comes next takes a sign-in of this moment.',
  mfa: 'What comes next takes a second factor.',
  'phishing-resistant': 'What comes next takes a passkey.',
}

const noWay = (need: Need): Html =>
  html`<p>
    You have no ${need === 'phishing-resistant' ? 'passkey' : 'second factor'} yet.
    <a href="/account">Add one</a>, then come back.
  </p>`

const hidden = ({ need, returnTo }: Wanted): Html =>
  html`<input type="hidden" name="need" value="${need}" /><input type="hidden" name="return" value="${returnTo}" />`

async function passkeyWay(
  deps: SignInDeps,
  { login }: SignedIn,
  { factors: { passkeys }, need, returnTo }: Wanted & { readonly factors: Factors },
): Promise<Html[]> {
  if (passkeys.length === 0) return []
  const hidden = { need, return: returnTo }
  const form = { about: login, action: '/step-up/passkey', passkeys, hidden, button: 'Use a passkey' }
  const shown = await passkeyForm(deps, form)
  return shown ? [shown] : []
}

function codeWay({ totp, recoveryCodes }: Factors, wanted: Wanted): Html[] {
  if (wanted.need === 'phishing-resistant' || (!totp && recoveryCodes === 0)) return []
  return [
    html`<form method="post" action="/step-up/code">
      ${hidden(wanted)}
      <label
        >A code of your app, or a recovery code <input name="code" autocomplete="one-time-code" required maxlength="40"
      /></label>
      <button>Confirm</button>
    </form>`,
  ]
}

/** Whoever signed in at a provider may do so again, and more strongly. */
async function providerWay(
  { db, configurations }: SignInDeps,
  { login }: SignedIn,
  { need, returnTo }: Wanted,
): Promise<Html[]> {
  const row = await db.selectFrom('login').select('provider').where('id', '=', login).executeTakeFirst()
  const { identity } = (await configurations.current(db)).declared
  const provider = identity.providers.find(({ id }) => id === row?.provider)
  if (!provider) return []
  const query = new URLSearchParams({ need, return: returnTo }).toString()
  return [html`<p><a href="/login/${provider.id}?${query}">Sign in again at ${provider.id}</a></p>`]
}

type Turn = { readonly request: FastifyRequest; readonly reply: FastifyReply }
type Prove = (deps: SignInDeps, request: FastifyRequest, stepping: Stepping & { place?: Place }) => Promise<SteppedUp>

const byPasskey: Prove = (deps, request, { place, ...stepping }) => {
  if (!place) throw new ApiError('not-found', { detail: 'There are no passkeys at this address.' })
  const answer = { place, sealed: fieldOf(request, 'challenge'), answer: fieldOf(request, 'answer') }
  return change(deps, (unit) => stepUpByPasskey(unit, stepping, answer))
}

const byCode: Prove = (deps, request, stepping) =>
  change(deps, (unit) => stepUpByCode(unit, stepping, fieldOf(request, 'code').slice(0, 100)))

async function take(deps: SignInDeps, { request, reply }: Turn, prove: Prove): Promise<FastifyReply> {
  checkOwnPage(deps, request)
  const who = await signedIn(deps, request, reply)
  if (!who) return reply
  const need = readNeed(fieldOf(request, 'need')) ?? 'mfa'
  const returnTo = returnPath(fieldOf(request, 'return'))
  const { user, login, caller } = who
  const place = placeOf(deps.publicUrl())
  const stepping = { user, login, before: caller.authentication, address: request.ip, key: deps.key }
  const outcome = await prove(deps, request, { ...stepping, ...(place && { place }) })
  const now = deps.runtime.now()
  if ('secret' in outcome) {
    giveCookie(reply, { ...outcome, now })
    return reply.redirect(returnTo, 303)
  }
  return showWays(deps, reply.code(403), { who, need, returnTo, told: toldOf(outcome, now) })
}

export const toldOf = ({ until }: { readonly until?: Instant }, now: Instant): string =>
  until === undefined
    ? 'That was not confirmed. Try again.'
    : `There were too many wrong tries. The next one is possible in ${formatDuration((Math.ceil((until - now) / 1_000) * 1_000) as Millis)}.`
