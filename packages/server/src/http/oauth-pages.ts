/** What people are asked before a command line acts as them. */

import { formatInstant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import type { Caller } from '../identity/identity.ts'
import type { Authorization } from '../identity/oauth/authorize.ts'
import { authorizationParameters } from '../identity/oauth/authorize.ts'
import type { DeviceRow } from '../identity/oauth/device-authorization.ts'
import type { Html, Page } from './pages.ts'
import { html } from './pages.ts'

export const notOursPage: Page = {
  title: 'Tidegate',
  body: html`<h1>Nobody is let in by this</h1>
    <p>What led here was not made by the command line of Tidegate. Run <code>tidegate login</code> again.</p>`,
}

/** Everything that someone sees of who asks. What a program says of itself is marked as that. */
const factsOf = (facts: readonly (readonly [name: string, value: string])[]): Html =>
  html`<dl>
    ${facts.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`

const answerButtons = html`<p>
  <button name="answer" value="allow">Allow</button> <button name="answer" value="refuse">Refuse</button>
</p>`

/** For how much it asks: it can do what the person can. */
const whatFor = 'Everything that you may do here: ask for access, use it, answer requests, administer.'

/** What the command line will prove. */
function proofWords({ authentication: { mfa, phishingResistant, at } }: Caller, now: Instant): string {
  const how = phishingResistant ? 'With a passkey, or as strongly' : mfa ? 'With a second factor' : 'By signing in'
  return `${how}, ${agoWords(now - at)}`
}

function agoWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`
}

type Asking = {
  readonly authorization: Authorization
  readonly caller: Caller
  readonly address: string
  readonly now: Instant
}

export function allowPage({ authorization, caller, address, now }: Asking): Page {
  const { redirectUri, demand } = authorization
  const fields = Object.entries(authorizationParameters(authorization)).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  )
  const { host } = new URL(redirectUri)
  return {
    title: 'Let a command line in',
    body: html`<h1>Let a command line act as you?</h1>
      <p>${runJustNow(demand !== undefined)}</p>
      ${factsOf([
        ['Who asks', `A program on this computer, which waits at ${host}`],
        ['As whom', caller.principal.id],
        ['Proved', proofWords(caller, now)],
        ['What for', whatFor],
        ['From', address],
        ['Until', 'As long as this sign-in of yours is believed at most, or until you end it'],
      ])}
      <form method="post" action="/oauth/authorize">${fields}${answerButtons}</form>`,
    leadsTo: formTarget(redirectUri),
  }
}

const runJustNow = (isStepUp: boolean): Html =>
  isStepUp
    ? html`Allow it only if <code>tidegate</code> on this computer has just asked you to prove that it is you.`
    : html`Allow it only if you have just run <code>tidegate login</code> on this computer.`

/** Browsers hold a form to where it may lead, redirects included; an address of IPv6 cannot be written there. */
function formTarget(redirectUri: string): string {
  const { origin, hostname } = new URL(redirectUri)
  return hostname.startsWith('[') ? 'http:' : origin
}

const codeForm = html`<form method="post" action="/device">
  <label>
    The code <input name="user_code" autocomplete="off" autocapitalize="characters" maxlength="20" required autofocus />
  </label>
  <button>Continue</button>
</form>`

export const codePage: Page = {
  title: 'Let a command line in',
  body: html`<h1>Let a command line in</h1>
    <p>Type the code that <code>tidegate</code> shows you on the other machine. Nobody else gives you one.</p>
    ${codeForm}`,
}

/** Mistyped, too late, answered already, never there: all the same. */
export const noSuchCodePage: Page = {
  title: 'Let a command line in',
  body: html`<h1>No command line waits with that code</h1>
    <p>A code is good for ten minutes, and once. Run the command again for another.</p>
    ${codeForm}`,
}

type Waiting = { readonly row: DeviceRow; readonly caller: Caller; readonly address: string; readonly now: Instant }

export function deviceAllowPage({ row, caller, address, now }: Waiting): Page {
  const { userCode, clientAddress, clientAgent, askedAt } = row
  const elsewhere = clientAddress === address ? '' : ` (you are at ${address})`
  return {
    title: 'Let a command line in',
    body: html`<h1>Let a command line act as you?</h1>
      <p>
        Allow it only if <code>tidegate</code> gave you the code itself, on the machine below. If someone sent it to
        you, refuse: whoever asked would be you.
      </p>
      ${factsOf([
        ['Who asks', clientAgent ?? 'It does not say'],
        ['From', `${clientAddress}${elsewhere}`],
        ['Since', `${formatInstant(askedAt).slice(11, 19)} UTC, ${agoWords(now - askedAt)}`],
        ['As whom', caller.principal.id],
        ['Proved', proofWords(caller, now)],
        ['What for', whatFor],
      ])}
      <form method="post" action="/device">
        <input type="hidden" name="user_code" value="${userCode}" />${answerButtons}
      </form>`,
  }
}

export const answeredPage = (allowed: boolean): Page => ({
  title: 'Let a command line in',
  body: allowed
    ? html`<h1>It is let in</h1>
        <p>Go on at the machine that asked. <code>tidegate logins</code> lists who acts as you.</p>`
    : html`<h1>It is not let in</h1>
        <p>
          Nobody acts as you by this. If you did not ask, tell whoever looks after Tidegate: it is in the audit log.
        </p>`,
})
