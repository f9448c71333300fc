/** Where people see and change what they confirm themselves with: passkeys, codes of an app, recovery codes. */

import { readFile } from 'node:fs/promises'
import { formatInstant } from '@tidegate/core'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { openChallenge, sealChallenge, useChallenge } from '../identity/factors/challenge.ts'
import type { Factors } from '../identity/factors/factors.ts'
import {
  factorsOf,
  hasFactors,
  mayManage,
  needToManage,
  removePasskey,
  removeTotp,
} from '../identity/factors/factors.ts'
import { addPasskey, placeOf } from '../identity/factors/passkeys.ts'
import type { PasskeyRow } from '../identity/factors/passkeys.ts'
import { makeRecoveryCodes } from '../identity/factors/recovery-codes.ts'
import { makeTotpSecret, putTotp, stepOf, totpUri } from '../identity/factors/totp.ts'
import { change } from '../store/change.ts'
import type { Unit } from '../store/change.ts'
import type { SignedIn } from './page-scope.ts'
import { checkOwnPage, fieldOf, registerPages, signedIn } from './page-scope.ts'
import type { Html } from './pages.ts'
import { html, scriptPath, sendPage, sendScriptedPage } from './pages.ts'
import { newPasskeyForm } from './passkey-forms.ts'
import type { SignInDeps } from './sign-in-routes.ts'
import { resetNotice } from './sign-in-routes.ts'
import { stepUpPath } from './step-up-routes.ts'

const script = new URL('./assets/ceremonies.js', import.meta.url)

export function registerFactors(app: FastifyInstance, deps: SignInDeps): void {
  registerPages(app, (scope) => {
    scope.get(scriptPath, async (_request, reply) =>
      reply.type('text/javascript; charset=utf-8').send(await readFile(script, 'utf8')),
    )
    scope.get('/account', (request, reply) => manage(deps, { request, reply }, showAccount))
    scope.post('/account/passkeys', (request, reply) => manage(deps, { request, reply }, takePasskey))
    scope.post('/account/passkeys/remove', (request, reply) => manage(deps, { request, reply }, dropPasskey))
    scope.get('/account/totp', (request, reply) => manage(deps, { request, reply }, showTotp))
    scope.post('/account/totp', (request, reply) => manage(deps, { request, reply }, takeCode))
    scope.post('/account/totp/remove', (request, reply) => manage(deps, { request, reply }, dropTotp))
    scope.post('/account/recovery-codes', (request, reply) => manage(deps, { request, reply }, renewRecoveryCodes))
  })
}

type Turn = { readonly request: FastifyRequest; readonly reply: FastifyReply }
type Managing = Turn & { readonly who: SignedIn; readonly factors: Factors }

/** Whoever did not prove enough lately does so first, and comes back. */
async function manage(
  deps: SignInDeps,
  { request, reply }: Turn,
  go: (deps: SignInDeps, managing: Managing) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  if (request.method !== 'GET') checkOwnPage(deps, request)
  const who = await signedIn(deps, request, reply)
  if (!who) return reply
  const factors = await factorsOf(deps.db, who.user)
  const { identity } = (await deps.configurations.current(deps.db)).declared
  const need = needToManage(factors, identity)
  if (!mayManage(who.caller, need, deps.runtime.now())) return reply.redirect(stepUpPath(need, '/account'), 303)
  return go(deps, { request, reply, who, factors })
}

async function showAccount(deps: SignInDeps, { reply, who, factors }: Managing): Promise<FastifyReply> {
  return sendScriptedPage(
    reply,
    'Your second factors',
    html`<h1>Your second factors</h1>
      <p>Of ${who.user}.</p>
      ${await resetNotice(deps, who.user)} ${passkeyList(factors)} ${await newPasskeyPart(deps, who)}
      ${totpPart(factors)} ${recoveryPart(factors)}
      <p><a href="/login">Back</a></p>`,
  )
}

const passkeyList = ({ passkeys }: Factors): Html =>
  passkeys.length === 0 ? html`<p>You have no passkey.</p>` : html`<dl>${passkeys.map(passkeyItem)}</dl>`

const passkeyItem = ({ id, name, createdAt, lastUsedAt }: PasskeyRow): Html =>
  html`<dt>${name}</dt>
    <dd>
      Since ${formatInstant(createdAt)},
      ${lastUsedAt === null ? 'not used yet' : `last used ${formatInstant(lastUsedAt)}`}
      <form method="post" action="/account/passkeys/remove">
        <input type="hidden" name="passkey" value="${id}" /><button>Remove</button>
      </form>
    </dd>`

const newPasskeyPart = async (deps: SignInDeps, { user, login }: SignedIn): Promise<Html> =>
  (await newPasskeyForm(deps, {
    user,
    about: login,
    action: '/account/passkeys',
    field: html`<label>What to call it <input name="name" required maxlength="100" value="Passkey" /></label>`,
    button: 'Add a passkey',
  })) ??
  html`<p>
    Passkeys need an address with a name: https://HOST, or http://localhost. Reach the server by one, and set
    TIDEGATE_PUBLIC_URL to it.
  </p>`

const totpPart = ({ totp }: Factors): Html =>
  totp
    ? html`<p>You have codes of an app.</p>
        <form method="post" action="/account/totp/remove"><button>Remove the app</button></form>
        <p><a href="/account/totp">Use another app instead</a></p>`
    : html`<p>No passkey on this device? <a href="/account/totp">Use codes of an app</a>; they can be phished.</p>`

const recoveryPart = (factors: Factors): Html =>
  hasFactors(factors)
    ? html`<p>Recovery codes that are left: ${String(factors.recoveryCodes)}.</p>
        <form method="post" action="/account/recovery-codes"><button>Make new recovery codes</button></form>`
    : html``

async function takePasskey(deps: SignInDeps, managing: Managing): Promise<FastifyReply> {
  const { request, who, factors } = managing
  const place = placeOf(deps.publicUrl())
  if (!place) return failed(managing)
  const { user, login } = who
  const outcome = await change(deps, async (unit) => {
    const sealed = fieldOf(request, 'challenge')
    const challenge = openChallenge(sealed, { purpose: 'passkey-new', about: login, key: deps.key, now: unit.now })
    if (!challenge || !(await useChallenge(unit, challenge))) return undefined
    const given = { place, challenge: challenge.secret, answer: fieldOf(request, 'answer') }
    const added = await addPasskey(unit, { user, name: fieldOf(request, 'name'), ...given })
    return added === undefined ? undefined : firstCodes(unit, user, factors)
  })
  return outcome ? added(managing, outcome) : failed(managing)
}

/** Recovery codes come with the first factor: who has one way in alone loses it with the device. */
const firstCodes = async (unit: Unit, user: string, factors: Factors): Promise<readonly string[]> =>
  hasFactors(factors) || factors.recoveryCodes > 0 ? [] : makeRecoveryCodes(unit, user)

const added = ({ reply }: Managing, codes: readonly string[]): FastifyReply =>
  codes.length === 0 ? reply.redirect('/account', 303) : sendCodes(reply, codes)

export const sendCodes = (reply: FastifyReply, codes: readonly string[], next = '/account'): FastifyReply =>
  sendPage(
    reply,
    'Recovery codes',
    html`<h1>Recovery codes</h1>
      <p>Shown this once. Keep them where your device is not. Each counts once, for the day it is gone.</p>
      <ul>
        ${codes.map((code) => html`<li><code>${code}</code></li>`)}
      </ul>
      <p><a href="${next}">They are kept</a></p>`,
  )

const failed = ({ reply }: Pick<Managing, 'reply'>): FastifyReply =>
  sendPage(
    reply.code(400),
    'Not added',
    html`<h1>It was not added</h1>
      <p>It took too long, was not confirmed, or is there already.</p>
      <p><a href="/account">Try again</a></p>`,
  )

async function dropPasskey(deps: SignInDeps, { request, reply, who }: Managing): Promise<FastifyReply> {
  await change(deps, (unit) => removePasskey(unit, { user: who.user, id: fieldOf(request, 'passkey') }))
  return reply.redirect('/account', 303)
}

async function dropTotp(deps: SignInDeps, { reply, who }: Managing): Promise<FastifyReply> {
  await change(deps, (unit) => removeTotp(unit, who.user))
  return reply.redirect('/account', 303)
}

async function showTotp({ runtime, key }: SignInDeps, { reply, who }: Managing): Promise<FastifyReply> {
  const secret = makeTotpSecret(runtime.random)
  const sealed = sealChallenge(runtime, { key }, { purpose: 'totp-new', about: who.login, secret })
  return sendPage(
    reply,
    'Codes of an app',
    html`<h1>Codes of an app</h1>
      <p>Add this key to your app, by hand or <a href="${totpUri(who.user, secret)}">by this link</a>:</p>
      <p><code>${secret.replaceAll(/(.{4})(?!$)/g, '$1 ')}</code></p>
      <form method="post" action="/account/totp">
        <input type="hidden" name="challenge" value="${sealed}" />
        <label>The code that it shows <input name="code" autocomplete="one-time-code" required maxlength="10" /></label>
        <button>Confirm</button>
      </form>`,
  )
}

async function takeCode(deps: SignInDeps, managing: Managing): Promise<FastifyReply> {
  const { request, who, factors } = managing
  const { user, login } = who
  const outcome = await change(deps, async (unit) => {
    const { now } = unit
    const expected = { purpose: 'totp-new', about: login, key: deps.key, now } as const
    const challenge = openChallenge(fieldOf(request, 'challenge'), expected)
    const step = challenge && stepOf(challenge.secret, fieldOf(request, 'code'), now)
    if (!challenge || step === undefined || !(await useChallenge(unit, challenge))) return undefined
    await putTotp(unit, { user, secret: challenge.secret, step, key: deps.key })
    return firstCodes(unit, user, factors)
  })
  return outcome ? added(managing, outcome) : failed(managing)
}

async function renewRecoveryCodes(deps: SignInDeps, { reply, who, factors }: Managing): Promise<FastifyReply> {
  if (!hasFactors(factors)) return reply.redirect('/account', 303)
  return sendCodes(reply, await change(deps, (unit) => makeRecoveryCodes(unit, who.user)))
}
