/** Second factors: passkeys by an authenticator in software, codes of an app, recovery codes, and what an attacker tries. */

import { describe, expect, test } from 'vitest'
import { outcomeOf } from './support/access.ts'
import type { Lie } from './support/authenticator.ts'
import { createAuthenticator } from './support/authenticator.ts'
import type { Browser, Visit } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import { addApp, addPasskey, codesIn, stepUp } from './support/factors.ts'
import { formOf, submit } from './support/forms.ts'
import { entriesOf, inStore } from './support/story.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'

type House = SignInWorld & { readonly url: string }

async function setUp(more = ''): Promise<House> {
  const house = await createSignInWorld({ host: 'localhost', more })
  return { ...house, url: house.world.server.url }
}

async function enter({ signIn }: House, who = 'erin', more = {}): Promise<Browser> {
  return (await signIn(account(who, {}, more))).browser
}

const me = async ({ url }: House, browser: Browser) => JSON.parse((await browser.call(`${url}/v1/me`)).text)

const giveCode = ({ url }: House, browser: Browser, code: string): Promise<Visit> =>
  submit(browser, `${url}/step-up/code`, { need: 'mfa', return: '/login', code })

const causesOf = async ({ world }: House): Promise<unknown[]> =>
  (await entriesOf(world.admin)).filter(({ type }) => type === 'factor.refused').map(({ entry }) => entry['cause'])

describe('a passkey', () => {
  test('is added by whoever has just signed in, brings ten recovery codes, and makes the same login stronger', async () => {
    const house = await setUp()
    const browser = await enter(house)
    const before = await me(house, browser)
    expect(before.authentication).toMatchObject({ method: 'oidc', mfa: false, phishingResistant: false })
    const { device, visit } = await addPasskey(house, browser)
    expect(new Set(codesIn(visit)).size).toBe(10)
    const held = browser.cookies.get(new URL(house.url).host)?.get('__Host-tidegate')
    house.world.clock.advance(5_000)
    const stepped = await stepUp(house, browser, device)
    expect([stepped.status, stepped.headers['location']]).toEqual([303, '/login'])
    const after = await me(house, browser)
    expect(after).toMatchObject({
      login: before.login,
      authentication: { method: 'oidc', mfa: true, phishingResistant: true },
    })
    const copy = createBrowser()
    copy.cookies.set(new URL(house.url).host, new Map([['__Host-tidegate', held ?? '']]))
    expect((await copy.call(`${house.url}/v1/me`)).status).toBe(401)
    const types = (await entriesOf(house.world.admin)).map(({ type }) => type)
    expect(types.filter((type) => /^(factor|login\.strengthened)/.test(type))).toEqual(
      expect.arrayContaining(['factor.added', 'login.strengthened']),
    )
  })

  test.each<[string, Lie]>([
    ['of another origin', { origin: 'https://evil.example' }],
    ['of another port', { origin: 'http://localhost:1' }],
    ['for another host', { host: 'evil.example' }],
    ['to another challenge', { challenge: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
    ['without the person having been verified', { unverified: true }],
    ['from another ceremony', { type: 'webauthn.create' }],
  ])('does nothing with a signature %s', async (_what, lie) => {
    const house = await setUp()
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    expect((await stepUp(house, browser, device, lie)).status).toBe(403)
    expect((await me(house, browser)).authentication.mfa).toBe(false)
    expect(await causesOf(house)).toEqual(['wrong'])
    expect(
      (await addPasskey(house, await enter(house, 'frank'), lie.type ? { type: 'webauthn.get' } : lie)).visit.status,
    ).toBe(400)
  })

  test('counts: one whose count goes back has a copy, and neither is believed', async () => {
    const house = await setUp()
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    await stepUp(house, browser, device, { counter: 7 })
    house.world.clock.advance(61_000)
    for (const counter of [7, 6, 0]) expect((await stepUp(house, browser, device, { counter })).status).toBe(403)
    expect(await causesOf(house)).toEqual(['copied', 'copied', 'copied'])
    expect((await stepUp(house, browser, device, { counter: 8 })).status).toBe(303)
  })

  test('answers one challenge once, of one login, and in time', async () => {
    const house = await setUp()
    const { url, world } = house
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    const { fields, options } = formOf(await browser.open(`${url}/step-up?need=mfa`), '/step-up/passkey')
    const sent = { ...fields, answer: device.get(options) }
    expect((await submit(browser, `${url}/step-up/passkey`, sent)).status).toBe(303)
    expect((await submit(browser, `${url}/step-up/passkey`, sent)).status).toBe(403)
    const other = await enter(house)
    const theirs = formOf(await other.open(`${url}/step-up?need=mfa`), '/step-up/passkey')
    const elsewhere = { ...theirs.fields, answer: device.get(theirs.options) }
    expect((await submit(browser, `${url}/step-up/passkey`, elsewhere)).status).toBe(403)
    world.clock.advance(5 * 60_000)
    expect((await submit(other, `${url}/step-up/passkey`, elsewhere)).status).toBe(403)
    expect(await causesOf(house)).toEqual(['challenge', 'challenge', 'challenge'])
  })

  test('of someone else is nobody’s way in', async () => {
    const house = await setUp()
    const { device } = await addPasskey(house, await enter(house, 'erin'))
    const frank = await enter(house, 'frank')
    await addPasskey(house, frank)
    expect((await stepUp(house, frank, device)).status).toBe(403)
    expect((await me(house, frank)).authentication.mfa).toBe(false)
  })

  test('is known once: the same one is not added to another person', async () => {
    const house = await setUp()
    const erin = await enter(house, 'erin')
    const { device } = await addPasskey(house, erin)
    const frank = await enter(house, 'frank')
    const { fields, options } = formOf(await frank.open(`${house.url}/account`), '/account/passkeys')
    const visit = await submit(frank, `${house.url}/account/passkeys`, { ...fields, answer: device.create(options) })
    expect(visit.status).toBe(400)
  })

  test('is there several times, by names that say nothing to the page, and is removed after a proof of one', async () => {
    const house = await setUp()
    const { url, world } = house
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    expect((await browser.step(`${url}/account`)).headers['location']).toBe('/step-up?need=mfa&return=%2Faccount')
    await stepUp(house, browser, device)
    const second = createAuthenticator(url)
    world.clock.advance(1_000)
    const form = formOf(await browser.open(`${url}/account`), '/account/passkeys')
    const name = '<script>alert(1)</script>'
    await submit(browser, `${url}/account/passkeys`, { ...form.fields, name, answer: second.create(form.options) })
    const page = await browser.open(`${url}/account`)
    expect(page.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
    expect(page.headers['content-security-policy']).toContain(
      "default-src 'none'; script-src 'self'; style-src 'sha256-",
    )
    const ids = [...page.text.matchAll(/name="passkey" value="(pky_[^"]+)"/g)].map(([, id = '']) => id)
    expect(ids).toHaveLength(2)
    world.clock.advance(10 * 60_000)
    const [, passkey = ''] = ids
    const late = await submit(browser, `${url}/account/passkeys/remove`, { passkey })
    expect(late.headers['location']).toContain('/step-up?need=mfa')
    await stepUp(house, browser, device)
    await submit(browser, `${url}/account/passkeys/remove`, { passkey })
    expect(await inStore(world.store, 'select id from passkey')).toEqual([{ id: ids[0] }])
    world.clock.advance(61_000)
    expect((await stepUp(house, browser, second)).status).toBe(403)
  })
})

describe('a code of an app', () => {
  test('counts once, and none from before it; a clock may be a step off', async () => {
    const house = await setUp()
    const { clock } = house.world
    const browser = await enter(house)
    const { codeAt } = await addApp(house, browser)
    const step = 30_000
    expect((await giveCode(house, browser, codeAt(clock.now()))).status).toBe(403)
    expect((await giveCode(house, browser, codeAt(clock.now() + step))).status).toBe(303)
    expect(await me(house, browser)).toMatchObject({ authentication: { mfa: true, phishingResistant: false } })
    expect((await giveCode(house, browser, codeAt(clock.now() + step))).status).toBe(403)
    clock.advance(3 * step)
    expect((await giveCode(house, browser, codeAt(clock.now() - 2 * step))).status).toBe(403)
    expect((await giveCode(house, browser, codeAt(clock.now() + 2 * step))).status).toBe(403)
    expect((await giveCode(house, browser, codeAt(clock.now() - step))).status).toBe(303)
    expect((await giveCode(house, browser, codeAt(clock.now()))).status).toBe(303)
  })

  test('is guessed at slowly: after five wrong ones there is a wait, also for the right one, and it doubles', async () => {
    const house = await setUp()
    const { clock } = house.world
    const browser = await enter(house)
    const { codeAt } = await addApp(house, browser)
    const wrong = (): Promise<Visit> => giveCode(house, browser, '000000')
    const all = await Promise.all([wrong(), wrong(), wrong(), wrong(), wrong(), wrong(), wrong(), wrong()])
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 403))
    const causes = await causesOf(house)
    expect([causes.filter((one) => one === 'wrong').length, causes.filter((one) => one === 'wait').length]).toEqual([
      5, 3,
    ])
    clock.advance(29_000)
    expect((await giveCode(house, browser, codeAt(clock.now() + 30_000))).text).toContain('too many wrong tries')
    clock.advance(2_000)
    expect((await wrong()).text).toContain('not confirmed')
    clock.advance(58_000)
    expect((await wrong()).text).toContain('too many wrong tries')
    clock.advance(3_000)
    expect((await giveCode(house, browser, codeAt(clock.now()))).status).toBe(303)
  })

  test('is not enough where a passkey is asked for, and is sealed in the store, for its person alone', async () => {
    const house = await setUp()
    const browser = await enter(house)
    const { secret, codes } = await addApp(house, browser)
    expect((await browser.open(`${house.url}/step-up?need=phishing-resistant`)).text).not.toContain('/step-up/code')
    const tables = await Promise.all(
      ['totp', 'recovery_code', 'audit_disclosure'].map((name) =>
        inStore(house.world.store, `select t::text from ${name} t`),
      ),
    )
    const bodies = await inStore(house.world.store, `select encode(body, 'escape') as body from audit_entry`)
    const everything = JSON.stringify([tables, bodies])
    expect(codes).toHaveLength(10)
    for (const one of [secret, Buffer.from(secret).toString('hex'), ...codes]) expect(everything).not.toContain(one)
    const other = await enter(house, 'frank')
    await addApp(house, other)
    await inStore(
      house.world.store,
      `update totp set secret = (select secret from totp where user_id = 'erin@example.com') where user_id = 'frank@example.com'`,
    )
    expect((await giveCode(house, other, '123456')).status).toBe(500)
  })
})

describe('a recovery code', () => {
  test('counts once, is written down, and its owner is told at their next login', async () => {
    const house = await setUp()
    const browser = await enter(house)
    const { codes } = await addApp(house, browser)
    const [code = ''] = codes
    expect((await giveCode(house, browser, code.toUpperCase().replaceAll('-', ' '))).status).toBe(303)
    expect((await giveCode(house, browser, code)).status).toBe(403)
    expect((await browser.open(`${house.url}/login`)).text).not.toContain('recovery code of yours')
    const used = (await entriesOf(house.world.admin)).find(({ type }) => type === 'factor.recovery-code-used')
    expect(used?.entry).toMatchObject({ left: 9 })
    const next = await house.signIn(account('erin'))
    expect(next.visit.text).toContain('A recovery code of yours was used at')
    expect((await next.browser.open(`${house.url}/login`)).text).not.toContain('recovery code of yours')
  })

  test('is no longer one once new ones are made, and is nobody else’s', async () => {
    const house = await setUp()
    const browser = await enter(house)
    const { codes, codeAt } = await addApp(house, browser)
    const other = await enter(house, 'frank')
    await addApp(house, other)
    expect((await giveCode(house, other, codes[0] ?? '')).status).toBe(403)
    await giveCode(house, browser, codeAt(house.world.clock.now() + 30_000))
    const fresh = codesIn(await submit(browser, `${house.url}/account/recovery-codes`, {}))
    expect(fresh).toHaveLength(10)
    expect((await giveCode(house, browser, codes[1] ?? '')).status).toBe(403)
    expect((await giveCode(house, browser, fresh[1] ?? '')).status).toBe(303)
  })
})

describe('factors', () => {
  test('are changed on the page itself: a form from elsewhere, or by nobody, changes nothing', async () => {
    const house = await setUp()
    const { url } = house
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    await stepUp(house, browser, device)
    const [{ id }] = (await inStore(house.world.store, 'select id from passkey')) as [{ id: string }]
    const post = (headers: Record<string, string>) =>
      browser.post(`${url}/account/passkeys/remove`, `passkey=${id}`, headers)
    expect((await post({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await post({})).status).toBe(403)
    expect((await post({ origin: url, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    const nobody = await submit(createBrowser(), `${url}/account/passkeys/remove`, { passkey: id })
    expect(nobody.headers['location']).toBe('/login?return=%2Flogin')
    expect(await inStore(house.world.store, 'select id from passkey')).toEqual([{ id }])
  })

  test('of who was removed by their source are gone: the next of that id begins with none', async () => {
    const house = await setUp()
    const browser = await enter(house)
    await addPasskey(house, browser)
    await house.forget('erin@example.com')
    for (const table of ['passkey', 'recovery_code', 'totp'])
      expect(await inStore(house.world.store, `select * from ${table}`)).toEqual([])
  })

  test('the first one takes a second factor at the provider, where configuration says so', async () => {
    const house = await setUp('  firstFactor: mfa\n')
    const weak = await enter(house)
    expect((await weak.step(`${house.url}/account`)).headers['location']).toBe('/step-up?need=mfa&return=%2Faccount')
    const strong = await enter(house, 'frank', { amr: ['mfa'] })
    expect((await addPasskey(house, strong)).visit.status).toBe(200)
  })
})

describe('at the provider', () => {
  test('someone proves more by signing in again there, and what they prove is looked at', async () => {
    const house = await setUp()
    const browser = await enter(house)
    const page = await browser.open(`${house.url}/step-up?need=phishing-resistant&return=/account`)
    const [, link = ''] = /href="(\/login\/okta[^"]*)"/.exec(page.text) ?? []
    const again = `${house.url}${link.replaceAll('&amp;', '&')}`
    house.provider.signInAs(account('erin'))
    const weak = await browser.open(again)
    expect([weak.status, weak.text.includes('That was not enough')]).toEqual([403, true])
    expect((await me(house, browser)).authentication.mfa).toBe(false)
    house.provider.signInAs(account('erin', {}, { acr: 'phr' }))
    const strong = await browser.open(again)
    expect(strong.text).toContain('Your second factors')
    expect((await me(house, browser)).authentication).toMatchObject({ phishingResistant: true })
  })

  test('a sign-in from before is not taken for one of now', async () => {
    const house = await setUp()
    house.provider.tamper(undefined)
    const browser = await enter(house, 'erin', { acr: 'phr' })
    house.world.clock.advance(120_000)
    const page = await browser.step(`${house.url}/login/okta?need=phishing-resistant`)
    const away = new URL(String(page.headers['location']))
    expect(Object.fromEntries(away.searchParams)).toMatchObject({
      prompt: 'login',
      max_age: '0',
      acr_values: 'phr phrh',
    })
    away.searchParams.delete('prompt')
    away.searchParams.delete('max_age')
    expect((await browser.open(away.href)).status).toBe(403)
  })
})

test('an address without a name has no passkeys, and says so', async () => {
  const house = await createSignInWorld()
  const { browser } = await house.signIn(account('erin'))
  const page = await browser.open(`${house.world.server.url}/account`)
  expect(page.text).toContain('TIDEGATE_PUBLIC_URL')
  expect(page.text).not.toContain('data-ceremony')
})

describe('an administrator', () => {
  test('sees what someone confirms with, as they do themselves, and nobody else does', async () => {
    const house = await setUp()
    const { world } = house
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    await stepUp(house, browser, device)
    await addApp(house, browser)
    const user = 'erin@example.com'
    const own = JSON.parse((await browser.call(`${house.url}/v1/factors`)).text)
    expect(own).toMatchObject({ user, passkeys: [{ synced: false }], totp: {}, recoveryCodes: 10 })
    for (const who of ['sam', 'dora']) expect(await world.as(who).listFactors({ user })).toEqual(own)
    expect(await outcomeOf(world.as('bob').listFactors({ user }))).toBe('forbidden')
    expect(await outcomeOf(world.as('bob').listFactors({ user: 'nobody' }))).toBe('forbidden')
    expect(await world.as('bob').listFactors({})).toEqual({ user: 'bob', passkeys: [], recoveryCodes: 0 })
  })

  test('has them forgotten, with the logins that rest on them; whoever comes back is told, and adds new ones', async () => {
    const house = await setUp()
    const { world, url } = house
    const user = 'erin@example.com'
    const browser = await enter(house)
    const { device } = await addPasskey(house, browser)
    const asking = { user, reason: 'Phone stolen' }
    for (const who of ['bob', 'sam']) expect(await outcomeOf(world.as(who).resetFactors(asking))).toBe('forbidden')
    expect(await outcomeOf(world.as('dora').resetFactors({ user: 'dora', reason: 'Mine' }))).toBe('forbidden')
    expect(await outcomeOf(world.as('dora').resetFactors({ user: 'nobody', reason: 'Who' }))).toBe('not-found')
    expect(await world.as('dora').resetFactors(asking)).toEqual({
      user,
      passkeys: 1,
      totp: false,
      recoveryCodes: 10,
      loginsEnded: 1,
    })
    expect((await browser.call(`${url}/v1/me`)).status).toBe(401)

    for (const again of [await enter(house), await enter(house)]) {
      const { text } = await again.open(`${url}/login`)
      expect(text).toContain('Your second factors were reset at')
      expect(text).toContain('by user:dora')
    }
    const back = await enter(house)
    expect((await back.open(`${url}/account`)).text).toContain('Your second factors were reset at')
    expect((await back.open(`${url}/step-up?need=phishing-resistant`)).text).not.toContain('/step-up/passkey')
    const fresh = await addPasskey(house, back)
    expect(fresh.visit.status).toBe(200)
    expect((await stepUp(house, back, device)).status).toBe(403)
    expect((await stepUp(house, back, fresh.device)).status).toBe(303)
    world.clock.advance(14 * 24 * 3_600_000)
    const later = await enter(house)
    expect((await later.open(`${url}/login`)).text).not.toContain('were reset')
    const entry = (await entriesOf(world.admin)).find(({ type }) => type === 'factor.reset')
    expect(entry).toMatchObject({
      entry: { passkeys: 1, totp: false, recoveryCodes: 10, account: false, logins: 1 },
      disclosed: { '/principal': `user:${user}`, '/by': 'user:dora', '/reason': 'Phone stolen' },
    })
  })
})
