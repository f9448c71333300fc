/** Second factors of someone who is signed in, as they add and use them on our pages. */

import { Secret, TOTP } from 'otpauth'
import type { Authenticator, Lie } from './authenticator.ts'
import { createAuthenticator } from './authenticator.ts'
import type { Browser, Visit } from './browser.ts'
import { formOf, submit } from './forms.ts'

type At = { readonly url: string }

export async function addPasskey(
  { url }: At,
  browser: Browser,
  lie: Lie = {},
): Promise<{ device: Authenticator; visit: Visit }> {
  const device = createAuthenticator(url)
  const { fields, options } = formOf(await browser.open(`${url}/account`), '/account/passkeys')
  const answer = device.create(options, lie)
  return { device, visit: await submit(browser, `${url}/account/passkeys`, { ...fields, answer }) }
}

/** The codes for recovery that a page shows. */
export const codesIn = ({ text }: Visit): string[] =>
  [...text.matchAll(/<li><code>([^<]+)</g)].map(([, code = '']) => code)

export const stepUp = async (at: At, browser: Browser, device: Authenticator, lie: Lie = {}): Promise<Visit> =>
  proveByPasskey(browser, await browser.open(`${at.url}/step-up?need=phishing-resistant`), { device, lie })

/** On the page where they are. */
export function proveByPasskey(
  browser: Browser,
  page: Visit,
  { device, lie = {} }: { readonly device: Authenticator; readonly lie?: Lie },
): Promise<Visit> {
  const { fields, options } = formOf(page, '/step-up/passkey')
  const { origin } = new URL(page.at)
  return submit(browser, `${origin}/step-up/passkey`, { ...fields, answer: device.get(options, lie) })
}

export type App = { readonly codeAt: (at: number) => string; readonly secret: string; readonly codes: string[] }

export async function addApp(
  { url, world }: At & { readonly world: { readonly clock: { readonly now: () => number } } },
  browser: Browser,
): Promise<App> {
  const page = await browser.open(`${url}/account/totp`)
  const secret = (/<code>([A-Z2-7 ]+)<\/code>/.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
  const totp = new TOTP({ secret: Secret.fromBase32(secret) })
  const codeAt = (at: number): string => totp.generate({ timestamp: at })
  const { fields } = formOf(page, '/account/totp')
  const done = await submit(browser, `${url}/account/totp`, { ...fields, code: codeAt(world.clock.now()) })
  return { codeAt, secret, codes: codesIn(done) }
}
