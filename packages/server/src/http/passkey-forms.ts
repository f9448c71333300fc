/** Forms by which a browser makes a passkey, or uses one. What it is to sign is sealed into the form. */

import { sealChallenge } from '../identity/factors/challenge.ts'
import type { PasskeyRow, Place } from '../identity/factors/passkeys.ts'
import { authenticationOptions, placeOf, registrationOptions } from '../identity/factors/passkeys.ts'
import type { Html } from './pages.ts'
import { html } from './pages.ts'
import type { SignInDeps } from './sign-in-routes.ts'

type Form = {
  readonly action: string
  /** The login, the invitation or the page that it belongs to. */
  readonly about: string
  readonly hidden?: Readonly<Record<string, string>>
  /** Above the button. */
  readonly field?: Html
  readonly button: string
}

/** `undefined`, here and below: browsers make no passkey for this address. */
export async function newPasskeyForm(
  deps: SignInDeps,
  { user, ...form }: Form & { readonly user: string },
): Promise<Html | undefined> {
  const optionsFor = (place: Place, challenge: Buffer) => registrationOptions(deps.db, { place, user, challenge })
  return ceremonyForm(deps, form, { purpose: 'passkey-new', ceremony: 'create', optionsFor })
}

/** `passkeys` absent: whichever the browser has. */
export async function passkeyForm(
  deps: SignInDeps,
  { passkeys, ...form }: Form & { readonly passkeys?: readonly PasskeyRow[] },
): Promise<Html | undefined> {
  const optionsFor = (place: Place, challenge: Buffer) => authenticationOptions(place, challenge, passkeys)
  return ceremonyForm(deps, form, { purpose: 'passkey', ceremony: 'get', optionsFor })
}

type Ceremony = {
  readonly purpose: 'passkey-new' | 'passkey'
  readonly ceremony: 'create' | 'get'
  readonly optionsFor: (place: Place, challenge: Buffer) => Promise<object>
}

async function ceremonyForm(
  { runtime, key, publicUrl }: SignInDeps,
  { action, about, hidden = {}, field = html``, button }: Form,
  { purpose, ceremony, optionsFor }: Ceremony,
): Promise<Html | undefined> {
  const place = placeOf(publicUrl())
  if (!place) return undefined
  const challenge = Buffer.from(runtime.random(32))
  const options = JSON.stringify(await optionsFor(place, challenge))
  const sealed = sealChallenge(runtime, { key }, { purpose, about, secret: challenge.toString('base64url') })
  return html`<form method="post" action="${action}" data-ceremony="${ceremony}" data-options="${options}">
    ${Object.entries(hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`)}
    <input type="hidden" name="challenge" value="${sealed}" /><input type="hidden" name="answer" /> ${field}<button>
      ${button}
    </button>
    <p role="alert"></p>
  </form>`
}
