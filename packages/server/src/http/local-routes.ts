/** Where people make an account of Tidegate itself, by the link they were given, and sign in to it. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sealChallenge } from '../identity/factors/challenge.ts'
import { placeOf } from '../identity/factors/passkeys.ts'
import { makeTotpSecret, totpUri } from '../identity/factors/totp.ts'
import type { Entered, Joining, Refused } from '../identity/local/accounts.ts'
import { aboutInvitation, aboutSignIn, join, signInByPasskey, signInByPassword } from '../identity/local/accounts.ts'
import { invitedUser } from '../identity/local/invitations.ts'
import { localLimits } from '../identity/local/limits.ts'
import { hashChosen, provePassword } from '../identity/local/password-proof.ts'
import { callerByCookie } from '../identity/logins/cookie-identity.ts'
import { returnPath } from '../identity/people/return-to.ts'
import { change } from '../store/change.ts'
import { sendCodes } from './factor-routes.ts'
import { clientOf } from './forms.ts'
import { checkOwnPage, fieldOf, giveCookie, queryOf, registerPages } from './page-scope.ts'
import type { Html } from './pages.ts'
import { html, sendPage, sendScriptedPage } from './pages.ts'
import { newPasskeyForm, passkeyForm } from './passkey-forms.ts'
import type { SignInDeps } from './sign-in-routes.ts'
import { toldOf } from './step-up-routes.ts'

export function registerLocal(app: FastifyInstance, deps: SignInDeps): void {
  registerPages(app, (scope) => {
    scope.get('/join', (_request, reply) => sendScriptedPage(reply, 'Join Tidegate', openForm))
    scope.post('/join', (request, reply) => showJoin(deps, { request, reply }))
    scope.post('/join/passkey', (request, reply) => takeJoin(deps, { request, reply }, joiningByPasskey))
    scope.post('/join/password', (request, reply) => takeJoin(deps, { request, reply }, joiningByPassword))
    scope.get('/login/local', (request, reply) =>
      showSignIn(deps, reply, { returnTo: returnPath(queryOf(request, 'return')) }),
    )
    scope.post('/login/local/passkey', (request, reply) => takeSignIn(deps, { request, reply }, byPasskey))
    scope.post('/login/local/password', (request, reply) => takeSignIn(deps, { request, reply }, byPassword))
  })
}

type Turn = { readonly request: FastifyRequest; readonly reply: FastifyReply }

const localOf = async ({ configurations, db }: SignInDeps) => (await configurations.current(db)).declared.identity.local

/** The script puts in what stands behind the `#` of the link. */
const openForm = html`<h1>Join Tidegate</h1>
  <form method="post" action="/join" data-fragment><input type="hidden" name="secret" /><button>Begin</button></form>`

const goodNoMore = (reply: FastifyReply): FastifyReply =>
  sendPage(
    reply.code(404),
    'Join Tidegate',
    html`<h1>This link is good no more</h1>
      <p>It was used, is too old, or another took its place. Ask an administrator for a new one.</p>`,
  )

async function showJoin(deps: SignInDeps, { request, reply }: Turn, told?: string): Promise<FastifyReply> {
  checkOwnPage(deps, request)
  const secret = fieldOf(request, 'secret')
  const [user, local] = await Promise.all([invitedUser(deps.db, secret, deps.runtime.now()), localOf(deps)])
  if (user === undefined || !local) return goodNoMore(reply)
  const asked = { user, secret }
  return sendScriptedPage(
    told === undefined ? reply : reply.code(400),
    'Join Tidegate',
    html`<h1>Join Tidegate</h1>
      <p>As ${user}. What you signed in with here before counts no longer once you are done.</p>
      ${told === undefined ? html`` : html`<p role="alert">${told}</p>`} ${await joinByPasskeyForm(deps, asked)}
      ${local.passwords === 'allowed' ? joinByPasswordForm(deps, asked) : html``}`,
  )
}

type Invited = { readonly user: string; readonly secret: string }

const joinByPasskeyForm = async (deps: SignInDeps, { user, secret }: Invited): Promise<Html> =>
  (await newPasskeyForm(deps, {
    user,
    about: aboutInvitation(secret),
    action: '/join/passkey',
    hidden: { secret },
    button: 'Join with a passkey',
  })) ?? html`<p>Passkeys need an address with a name; this one has none.</p>`

function joinByPasswordForm({ runtime, key }: SignInDeps, { user, secret }: Invited): Html {
  const codes = makeTotpSecret(runtime.random)
  const sealed = sealChallenge(runtime, { key }, { purpose: 'totp-new', about: aboutInvitation(secret), secret: codes })
  return html`<h2>No passkey?</h2>
    <p>
      Then with a password and codes of an app. Add this key to it, by hand or
      <a href="${totpUri(user, codes)}">by this link</a>:
    </p>
    <p><code>${codes.replaceAll(/(.{4})(?!$)/g, '$1 ')}</code></p>
    <form method="post" action="/join/password">
      <input type="hidden" name="secret" value="${secret}" />
      <input type="hidden" name="challenge" value="${sealed}" />
      <label>Name <input name="user" autocomplete="username" value="${user}" readonly /></label>
      <label
        >Password, at least ${String(localLimits.passwordShortest)} characters
        <input type="password" name="password" autocomplete="new-password" required
      /></label>
      <label
        >The code that the app shows <input name="code" autocomplete="one-time-code" required maxlength="10"
      /></label>
      <button>Join with a password</button>
    </form>`
}

type JoinBy = (
  deps: SignInDeps,
  request: FastifyRequest,
) => Promise<Joining['by'] | { readonly problem?: string } | undefined>

const joiningByPasskey: JoinBy = async ({ publicUrl }, request) => {
  const place = placeOf(publicUrl())
  return place && { passkey: { place, answer: fieldOf(request, 'answer') } }
}

const joiningByPassword: JoinBy = async (deps, request) => {
  const chosen = await hashChosen(deps, { secret: fieldOf(request, 'secret'), password: fieldOf(request, 'password') })
  return 'hashed' in chosen ? { ...chosen, code: fieldOf(request, 'code') } : chosen
}

async function takeJoin(deps: SignInDeps, turn: Turn, read: JoinBy): Promise<FastifyReply> {
  const { request, reply } = turn
  checkOwnPage(deps, request)
  const by = await read(deps, request)
  if (!by) return goodNoMore(reply)
  if (!('passkey' in by) && !('hashed' in by)) return showJoin(deps, turn, by.problem ?? notConfirmed)
  const given = { secret: fieldOf(request, 'secret'), sealed: fieldOf(request, 'challenge'), by }
  const coming = await comingOf(deps, request)
  const outcome = await change(deps, (unit) => join(deps, unit, { ...given, ...coming }))
  if ('refused' in outcome) return showJoin(deps, turn, outcome.problem ?? notConfirmed)
  giveCookie(reply, { ...outcome, now: deps.runtime.now() })
  return sendCodes(reply, outcome.codes ?? [], '/login')
}

const notConfirmed = 'That was not confirmed. Try again.'

async function comingOf(deps: SignInDeps, request: FastifyRequest) {
  const before = (await callerByCookie(deps, request))?.caller.login
  return { client: clientOf(request), ...(before !== undefined && { before }) }
}

type Showing = { readonly returnTo: string; readonly told?: string }

async function showSignIn(deps: SignInDeps, reply: FastifyReply, { returnTo, told }: Showing): Promise<FastifyReply> {
  const local = await localOf(deps)
  if (!local) return goodNoMore(reply)
  return sendScriptedPage(
    reply,
    'Sign in',
    html`<h1>Sign in</h1>
      ${told === undefined ? html`` : html`<p role="alert">${told}</p>`} ${await signInByPasskeyForm(deps, returnTo)}
      ${local.passwords === 'allowed' ? passwordForm(returnTo) : html``}`,
  )
}

const signInByPasskeyForm = async (deps: SignInDeps, returnTo: string): Promise<Html> =>
  (await passkeyForm(deps, {
    about: aboutSignIn,
    action: '/login/local/passkey',
    hidden: { return: returnTo },
    button: 'Sign in with a passkey',
  })) ?? html``

const passwordForm = (returnTo: string): Html =>
  html`<form method="post" action="/login/local/password">
    <input type="hidden" name="return" value="${returnTo}" />
    <label>Name <input name="user" autocomplete="username" required maxlength="128" /></label>
    <label>Password <input type="password" name="password" autocomplete="current-password" required /></label>
    <label
      >A code of your app, or a recovery code <input name="code" autocomplete="one-time-code" required maxlength="40"
    /></label>
    <button>Sign in</button>
  </form>`

type Coming = Awaited<ReturnType<typeof comingOf>>
type SignIn = (deps: SignInDeps, request: FastifyRequest, coming: Coming) => Promise<Entered | Refused>

const byPasskey: SignIn = async (deps, request, coming) => {
  const place = placeOf(deps.publicUrl())
  if (!place) return { refused: 'wrong' }
  const given = { place, sealed: fieldOf(request, 'challenge'), answer: fieldOf(request, 'answer') }
  return change(deps, (unit) => signInByPasskey(deps, unit, { ...given, ...coming }))
}

const byPassword: SignIn = async (deps, request, coming) => {
  const user = fieldOf(request, 'user').trim().slice(0, 128)
  const code = fieldOf(request, 'code').slice(0, 100)
  const { address } = coming.client
  const proof = await provePassword(deps, { user, password: fieldOf(request, 'password'), address })
  return change(deps, (unit) => signInByPassword(deps, unit, { user, proof, code, ...coming }))
}

async function takeSignIn(deps: SignInDeps, { request, reply }: Turn, signIn: SignIn): Promise<FastifyReply> {
  checkOwnPage(deps, request)
  if (!(await localOf(deps))) return goodNoMore(reply)
  const returnTo = returnPath(fieldOf(request, 'return'))
  const outcome = await signIn(deps, request, await comingOf(deps, request))
  const now = deps.runtime.now()
  if ('refused' in outcome) return showSignIn(deps, reply.code(403), { returnTo, told: toldOf(outcome, now) })
  giveCookie(reply, { ...outcome, now })
  return reply.redirect(returnTo, 303)
}
