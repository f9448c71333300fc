/** RFC 9470 with a client that we did not write: it asks for more, a person proves it, and its login gets stronger. */

import * as oidc from 'openid-client'
import { expect, test, vi } from 'vitest'
import type { Authenticator } from './support/authenticator.ts'
import type { Browser, Visit } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import type { Asker, Sent, Tokens } from './support/command-line.ts'
import { answer, askerAt, authorization, callWith, redeem, refusalOf, signedInAsker } from './support/command-line.ts'
import { addPasskey, proveByPasskey } from './support/factors.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { entriesOf, inStore } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

const minute = 60_000
const passkey = { acr_values: 'phr', max_age: '60' }

type Scene = SignInWorld &
  Asker & {
    readonly browser: Browser
    readonly device: Authenticator
    readonly url: string
    readonly tokens: Tokens
  }

/** Someone with a passkey, who let a client in a while ago. */
async function sceneOf(): Promise<Scene> {
  const scene = await createSignInWorld({ host: 'localhost' })
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const { url } = scene.world.server
  const { device } = await addPasskey({ url }, browser)
  const asker = await signedInAsker({ url, clock: scene.world.clock }, browser)
  scene.world.clock.advance(2 * minute)
  return { ...scene, ...asker, browser, device, url }
}

/** With the clock as it is now: the one of a client is set when it is made. */
const now = ({ url, world, key }: Scene): Promise<Asker> => askerAt(url, world.clock, key)

const me = async (scene: Scene, token: string): Promise<Record<string, unknown>> => {
  const answer = await callWith(await now(scene), token, new URL('/v1/me', scene.url))
  return (await answer.json()) as Record<string, unknown>
}

const pathOf = ({ at }: Visit): string => new URL(at).pathname

/** To the page that asks whether the client may, by way of the passkey. */
async function prove(scene: Scene, sent: Sent): Promise<Visit> {
  const page = await scene.browser.open(sent.url.href)
  expect(pathOf(page)).toBe('/step-up')
  const proved = await proveByPasskey(scene.browser, page, scene)
  return scene.browser.open(ledTo(proved).href)
}

const ledTo = ({ headers, at }: Visit): URL => new URL(String(headers['location']), at)

test('what is asked for is proved before the question, and the login goes on, stronger, with other tokens', async () => {
  const scene = await sceneOf()
  const before = await me(scene, scene.tokens.access_token)
  expect(before).toMatchObject({ authentication: { mfa: false, phishingResistant: false } })
  const asker = await now(scene)
  const sent = await authorization(asker, passkey)
  const page = await prove(scene, sent)
  expect([pathOf(page), page.text]).toEqual(['/oauth/authorize', expect.stringContaining('With a passkey')])
  const tokens = await redeem(asker, ledTo(await answer(scene.browser, page, 'allow')), sent)
  const seconds = Math.floor(scene.world.clock.now() / 1_000)
  expect([tokens['acr'], tokens['auth_time']]).toEqual(['phr', seconds])
  const after = await me(scene, tokens.access_token)
  expect(after).toMatchObject({ login: before['login'], authentication: { mfa: true, phishingResistant: true } })
  // Copies of what it held before are not carried along.
  expect(await me(scene, scene.tokens.access_token)).toMatchObject({ code: 'unauthenticated' })
  const old = oidc.refreshTokenGrant(asker.config, scene.tokens.refresh_token as string, undefined, {
    DPoP: asker.handle,
  })
  expect(await refusalOf(old)).toBe('invalid_grant')
  const again = await oidc.refreshTokenGrant(asker.config, tokens.refresh_token as string, undefined, {
    DPoP: asker.handle,
  })
  expect(await me(scene, again.access_token)).toMatchObject({ login: before['login'] })
  const entries = await entriesOf(scene.world.admin)
  const stronger = entries.filter(({ type }) => type === 'login.strengthened').map(({ entry }) => entry['factor'])
  expect(stronger).toEqual(['passkey', 'browser'])
})

test('a login that got stronger lasts no longer than before, and ends with the browser that it went through', async () => {
  const scene = await sceneOf()
  const ends = async (): Promise<unknown> => {
    const rows = await inStore(scene.world.store, "select id, ends_at from login where kind = 'command-line'")
    expect(rows).toHaveLength(1)
    return rows[0]?.['ends_at']
  }
  const before = await ends()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const later = { ...scene, browser }
  const asker = await now(later)
  const sent = await authorization(asker, passkey)
  const page = await prove(later, sent)
  const tokens = await redeem(asker, ledTo(await answer(browser, page, 'allow')), sent)
  expect(await ends()).toEqual(before)
  const [row] = await inStore(
    scene.world.store,
    "select b.id from login c join login b on b.id = c.allowed_by where c.kind = 'command-line'",
  )
  await scene.world.admin.endLogin({ id: String(row?.['id']) })
  expect(await me(later, tokens.access_token)).toMatchObject({ code: 'unauthenticated' })
})

test('in the browser of someone else it becomes their login, and the one before stays as it was', async () => {
  const scene = await sceneOf()
  const { browser } = await scene.signIn(account('frank'), createBrowser())
  const { device } = await addPasskey(scene, browser)
  const theirs = { ...scene, browser, device }
  const asker = await now(scene)
  const sent = await authorization(asker, passkey)
  const tokens = await redeem(asker, ledTo(await answer(browser, await prove(theirs, sent), 'allow')), sent)
  expect(await me(scene, tokens.access_token)).toMatchObject({ principal: 'user:frank@example.com' })
  expect(await me(scene, scene.tokens.access_token)).toMatchObject({
    principal: 'user:erin@example.com',
    authentication: { phishingResistant: false },
  })
})

test('a proof that got too old while the question stood is asked for again, and a no needs none', async () => {
  const scene = await sceneOf()
  const sent = await authorization(await now(scene), passkey)
  const page = await prove(scene, sent)
  scene.world.clock.advance(minute)
  const led = ledTo(await answer(scene.browser, page, 'allow'))
  expect([led.pathname, led.searchParams.get('need')]).toEqual(['/step-up', 'phishing-resistant'])
  expect(led.searchParams.get('return')).toMatch(/^\/oauth\/authorize\?.*acr_values=phr&max_age=60$/)
  expect(await inStore(scene.world.store, 'select 1 from authorization_code where spent_at is null')).toEqual([])
  const back = ledTo(await answer(scene.browser, page, 'refuse'))
  expect(back.searchParams.get('error')).toBe('access_denied')
})

test('with max_age alone the same is proved anew, at the provider for who has nothing else', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('frank'))
  const { url } = scene.world.server
  scene.world.clock.set(Date.now() + 2 * minute)
  const sent = await authorization(await askerAt(url, scene.world.clock), { max_age: '0' })
  const page = await browser.open(sent.url.href)
  expect([pathOf(page), page.text]).toEqual(['/step-up', expect.stringContaining('a sign-in of this moment')])
  const [, link = ''] = /href="(\/login\/okta[^"]*)"/.exec(page.text) ?? []
  scene.world.clock.set(Date.now())
  const asked = await browser.open(new URL(link.replaceAll('&amp;', '&'), url).href)
  expect(pathOf(asked)).toBe('/oauth/authorize')
})

test('a code that is typed elsewhere asks for the same, and is not typed twice', async () => {
  const scene = await sceneOf()
  const { browser, url, device } = scene
  const asker = await now(scene)
  const begun = await oidc.initiateDeviceAuthorization(asker.config, {
    dpop_jkt: await asker.handle.calculateThumbprint(),
    ...passkey,
  })
  const typed = await browser.post(`${url}/device`, new URLSearchParams({ user_code: begun.user_code }).toString(), {
    origin: url,
  })
  const page = await browser.open(ledTo(typed).href)
  expect(pathOf(page)).toBe('/step-up')
  expect(page.at).not.toContain(begun.user_code.replace('-', ''))
  const proved = await proveByPasskey(browser, page, { device })
  const back = ledTo(proved).href
  // Where it leads is theirs alone.
  const { browser: other } = await scene.signIn(account('frank'), createBrowser())
  expect((await other.open(back)).text).toContain('Type the code')
  const shown = await browser.open(back)
  expect(shown.text).toContain('With a passkey, or as strongly, 0 s ago')
  scene.world.clock.advance(minute)
  expect((await answer(browser, shown, 'allow')).headers['location']).toMatch(/^\/step-up\?/)
  const again = await proveByPasskey(browser, await browser.open(page.at), { device })
  const question = await browser.open(ledTo(again).href)
  expect((await answer(browser, question, 'allow')).text).toContain('It is let in')
  const { config, handle } = await now(scene)
  const tokens = await oidc.genericGrantRequest(
    config,
    'urn:ietf:params:oauth:grant-type:device_code',
    { device_code: begun.device_code },
    { DPoP: handle },
  )
  expect(await me(scene, tokens.access_token)).toMatchObject({ authentication: { phishingResistant: true } })
})

test.each([
  ['a class that there is not', { acr_values: 'gold' }, 'unmet_authentication_requirements'],
  ['an age that is none', { max_age: '-1' }, 'invalid_request'],
  ['an age in words', { acr_values: 'phr', max_age: 'now' }, 'invalid_request'],
])('with %s nobody is asked', async (_what, more, error) => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('frank'))
  const asker = await askerAt(scene.world.server.url, scene.world.clock)
  const led = await browser.step((await authorization(asker, more)).url.href)
  expect(ledTo(led).searchParams.get('error')).toBe(error)
  expect(await refusalOf(oidc.initiateDeviceAuthorization(asker.config, more))).toBe(error)
})

test('of several classes that would do, the weakest known is asked for', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('frank'))
  const asker = await askerAt(scene.world.server.url, scene.world.clock)
  const page = await browser.open((await authorization(asker, { acr_values: 'gold phr mfa' })).url.href)
  expect([pathOf(page), page.text]).toEqual(['/step-up', expect.stringContaining('takes a second factor')])
})
