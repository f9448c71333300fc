/** Accounts of Tidegate itself: by a link, a passkey, a password with a code; and what someone without one learns. */

import { Secret, TOTP } from 'otpauth'
import { createLogger, startServer } from '@tidegate/server'
import { createClient } from '@tidegate/api'
import { describe, expect, onTestFinished, test } from 'vitest'
import { secretUrlOf } from '../packages/server/src/embedded/connection.ts'
import { outcomeOf } from './support/access.ts'
import type { Authenticator } from './support/authenticator.ts'
import { createAuthenticator } from './support/authenticator.ts'
import type { Browser, Visit } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import { clientByCookie } from './support/by-cookie.ts'
import { createTestDatabase } from './support/databases.ts'
import { formOf, submit } from './support/forms.ts'
import { entriesOf, inStore } from './support/story.ts'
import type { World, WorldOptions } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles, settingsFor } from './support/tidegate.ts'

const setUp = (identity = 'identity: { local: {} }', options: WorldOptions = {}): Promise<World> =>
  createWorldForTest({
    ...options,
    host: 'localhost',
    files: (parts) => [...defaultFiles(parts), { path: 'identity.yaml', text: identity }],
  })

const me = async ({ server }: World, browser: Browser) => {
  const answer = await browser.call(`${server.url}/v1/me`)
  return answer.status === 200 ? JSON.parse(answer.text) : answer.status
}

const secretOf = (link: string): string => new URL(link).hash.slice(1)
const cookieIn = (browser: Browser): string => [...browser.cookies.values()][0]?.get('__Host-tidegate') ?? ''
const codesIn = ({ text }: Visit): string[] => [...text.matchAll(/<li><code>([^<]+)</g)].map(([, code = '']) => code)

async function joinByPasskey({ server: { url } }: World, link: string, browser = createBrowser()) {
  const page = await submit(browser, `${url}/join`, { secret: secretOf(link) })
  const { fields, options } = formOf(page, '/join/passkey')
  const device = createAuthenticator(url)
  const visit = await submit(browser, `${url}/join/passkey`, { ...fields, answer: device.create(options) })
  return { browser, device, visit, codes: codesIn(visit) }
}

const words = 'correct horse battery staple'

async function joinByPassword(world: World, link: string, password = words) {
  const { url } = world.server
  const browser = createBrowser()
  const page = await submit(browser, `${url}/join`, { secret: secretOf(link) })
  const secret = (/<code>([A-Z2-7 ]+)<\/code>/.exec(page.text)?.[1] ?? '').replaceAll(' ', '')
  const totp = new TOTP({ secret: Secret.fromBase32(secret) })
  const codeAt = (at: number): string => totp.generate({ timestamp: at })
  const { fields } = formOf(page, '/join/password')
  const sent = { ...fields, password, code: codeAt(world.clock.now()) }
  const visit = await submit(browser, `${url}/join/password`, sent)
  return { browser, visit, codeAt, codes: codesIn(visit) }
}

async function signInByPasskey({ server: { url } }: World, device: Authenticator, browser = createBrowser()) {
  const { fields, options } = formOf(await browser.open(`${url}/login`), '/login/local/passkey')
  return {
    browser,
    visit: await submit(browser, `${url}/login/local/passkey`, { ...fields, answer: device.get(options) }),
  }
}

type Typed = { readonly user: string; readonly password?: string; readonly code?: string }

async function signInByPassword({ server: { url } }: World, { user, password = words, code = '000000' }: Typed) {
  const browser = createBrowser()
  const visit = await submit(browser, `${url}/login/local/password`, { user, password, code })
  return { browser, visit }
}

const linkFor = async ({ admin }: World, user: string): Promise<string> => (await admin.inviteUser({ user })).url

describe('the first administrator', () => {
  test('makes an account by the link of the first start, once, with a passkey, and is one', async () => {
    const world = await setUp()
    const link = world.server.firstLink ?? ''
    const { browser, device, visit, codes } = await joinByPasskey(world, link)
    expect([visit.status, new Set(codes).size]).toEqual([200, 10])
    const authentication = { method: 'passkey', mfa: true, phishingResistant: true }
    expect(await me(world, browser)).toMatchObject({ principal: 'user:admin', administrator: true, authentication })
    expect((await submit(createBrowser(), `${world.server.url}/join`, { secret: secretOf(link) })).status).toBe(404)
    const again = await signInByPasskey(world, device)
    expect(await me(world, again.browser)).toMatchObject({ principal: 'user:admin', authentication })
  })

  test('gets no second link, and one that was not used is gone at the next start, or after a day', async () => {
    const world = await setUp()
    const secret = secretOf(world.server.firstLink ?? '')
    const begin = () => submit(createBrowser(), `${world.server.url}/join`, { secret })
    expect((await begin()).status).toBe(200)
    world.clock.advance(24 * 3_600_000)
    expect((await begin()).status).toBe(404)
    world.clock.advance(-3_600_000)
    expect((await begin()).status).toBe(200)
    expect((await world.startAnother()).firstLink).toBeUndefined()
    expect((await begin()).status).toBe(404)
  })

  test('gets one link that works, at each of the servers, where three start at once on a new store', async () => {
    const store = await createTestDatabase('store')
    const settings = settingsFor(secretUrlOf(store.connection))
    const starting = { settings, env: {}, logger: createLogger('silent'), background: false }
    const servers = await Promise.all([1, 2, 3].map(() => startServer(starting)))
    onTestFinished(async () => {
      await Promise.all(servers.map((server) => server.stop()))
      await store.drop()
    })
    const links = servers.flatMap(({ firstLink }) => firstLink ?? [])
    expect(links).toHaveLength(1)
    for (const { url } of servers) {
      const page = await submit(createBrowser(), `${url}/join`, { secret: secretOf(links[0] ?? '') })
      expect([page.status, page.text.includes('As admin.')]).toEqual([200, true])
    }
  })
})

describe('an invitation', () => {
  test('makes an account with a password and codes; the next sign-in takes both', async () => {
    const world = await setUp()
    const { browser, visit, codeAt, codes } = await joinByPassword(world, await linkFor(world, 'alice'))
    expect([visit.status, codes.length]).toEqual([200, 10])
    const authentication = { method: 'password', mfa: true, phishingResistant: false }
    expect(await me(world, browser)).toMatchObject({ principal: 'user:alice', authentication })
    world.clock.advance(60_000)
    const code = codeAt(world.clock.now())
    const next = await signInByPassword(world, { user: 'alice', code })
    expect(await me(world, next.browser)).toMatchObject({ principal: 'user:alice', authentication })
    expect((await signInByPassword(world, { user: 'alice', code })).visit.status).toBe(403)
    const byPaper = await signInByPassword(world, { user: 'alice', code: codes[3] ?? '' })
    expect(await me(world, byPaper.browser)).toMatchObject({ principal: 'user:alice' })
    expect((await byPaper.browser.open(`${world.server.url}/login`)).text).not.toContain('recovery code of yours')
    expect((await browser.open(`${world.server.url}/login`)).text).toContain('recovery code of yours')
  })

  test.each(['short', '12345678901', 'aaaaaaaaaaaaaaaa', 'alicealicealice', 'P@ssword1234', 'x'.repeat(201)])(
    'takes no password like %s, says what is wrong, and is still good',
    async (password) => {
      const world = await setUp()
      const link = await linkFor(world, 'alice')
      const { visit } = await joinByPassword(world, link, password)
      expect([visit.status, visit.text.includes('password')]).toEqual([400, true])
      expect(await inStore(world.store, 'select user_id from local_account')).toEqual([])
      expect((await joinByPassword(world, link)).visit.status).toBe(200)
    },
  )

  test('is used once, by whoever is first of two at once', async () => {
    const world = await setUp()
    const link = await linkFor(world, 'alice')
    const both = await Promise.all([joinByPasskey(world, link), joinByPasskey(world, link)])
    expect(both.map(({ visit }) => visit.status).toSorted()).toEqual([200, 404])
    expect(await inStore(world.store, 'select user_id from passkey')).toEqual([{ user_id: 'alice' }])
  })

  test('is a new beginning: what was there before counts no longer', async () => {
    const world = await setUp()
    const first = await joinByPasskey(world, await linkFor(world, 'alice'))
    const link = await linkFor(world, 'alice')
    expect(await me(world, first.browser)).toMatchObject({ principal: 'user:alice' })
    const second = await joinByPasskey(world, link)
    expect(await me(world, first.browser)).toBe(401)
    expect((await signInByPasskey(world, first.device)).visit.status).toBe(403)
    expect((await signInByPasskey(world, second.device)).visit.status).toBe(303)
  })

  test('is there for declared users, while configuration has accounts, and only the newest of one person counts', async () => {
    const world = await setUp()
    expect(await outcomeOf(world.admin.inviteUser({ user: 'nobody' }))).toBe('not-found')
    const old = await linkFor(world, 'alice')
    await linkFor(world, 'alice')
    expect((await submit(createBrowser(), `${world.server.url}/join`, { secret: secretOf(old) })).status).toBe(404)
    await world.admin.applyConfig({ files: world.files.filter(({ path }) => path !== 'identity.yaml') })
    expect(await outcomeOf(world.admin.inviteUser({ user: 'alice' }))).toBe('no-local-accounts')
  })

  test('leaves no secret in the store or the log', async () => {
    const world = await setUp()
    const link = await linkFor(world, 'alice')
    const { codes } = await joinByPassword(world, link)
    const all = await Promise.all(
      ['invitation', 'local_account', 'recovery_code', 'audit_disclosure', 'login'].map((table) =>
        inStore(world.store, `select t::text from ${table} t`),
      ),
    )
    const bodies = await inStore(world.store, `select encode(body, 'escape') as body from audit_entry`)
    const text = JSON.stringify([all, bodies])
    for (const one of [secretOf(link), words, ...codes]) expect(text).not.toContain(one)
    expect(text).toContain('$argon2id$v=19$m=19456,t=2,p=1$')
  })
})

describe('whoever has no account', () => {
  /** Challenges are random. */
  const bare = ({ status, text }: Visit): string =>
    `${status} ${text.replaceAll(/value="[^"]*"|data-options="[^"]*"/g, '')}`

  test('is told the same as whoever has one, also when there were too many tries', async () => {
    const world = await setUp()
    await joinByPassword(world, await linkFor(world, 'alice'))
    for (let tries = 0; tries < 7; tries++) {
      const known = await signInByPassword(world, { user: 'alice', password: 'not the password of alice' })
      const unknown = await signInByPassword(world, { user: 'mallory', password: 'not the password of alice' })
      expect([known.visit.status, bare(known.visit)]).toEqual([403, bare(unknown.visit)])
    }
    const rows = await inStore(world.store, 'select failures from guess order by failures')
    expect(rows.map(({ failures }) => failures)).toEqual([5, 5, 10])
  })

  test('and whoever knows a password learns nothing by it without the code', async () => {
    const world = await setUp()
    await joinByPassword(world, await linkFor(world, 'alice'))
    const right = await signInByPassword(world, { user: 'alice' })
    const wrong = await signInByPassword(world, { user: 'alice', password: 'not the password of alice' })
    expect(bare(right.visit)).toBe(bare(wrong.visit))
  })

  test('does not come in by a passkey that is only someone’s second factor', async () => {
    const world = await setUp()
    const { device } = await joinByPasskey(world, await linkFor(world, 'alice'))
    await inStore(world.store, 'delete from local_account')
    expect((await signInByPasskey(world, device)).visit.status).toBe(403)
    const refused = (await entriesOf(world.admin)).find(({ type }) => type === 'login.refused')
    expect(refused?.entry).toMatchObject({ provider: 'local', cause: 'no-account' })
  })

  test('signs nobody else’s browser in: a form from elsewhere does nothing', async () => {
    const world = await setUp()
    const { codeAt } = await joinByPassword(world, await linkFor(world, 'alice'))
    world.clock.advance(60_000)
    const body = new URLSearchParams({ user: 'alice', password: words, code: codeAt(world.clock.now()) }).toString()
    const visit = await createBrowser().post(`${world.server.url}/login/local/password`, body, {
      origin: 'https://evil.example',
    })
    expect(visit.status).toBe(403)
    expect(visit.headers['set-cookie']).toBeUndefined()
  })
})

test('too many wrong passwords hold up the right one, and no passkey', async () => {
  const world = await setUp()
  const { codeAt } = await joinByPassword(world, await linkFor(world, 'alice'))
  const { device } = await joinByPasskey(world, await linkFor(world, 'bob'))
  for (let tries = 0; tries < 6; tries++)
    await signInByPassword(world, { user: 'alice', password: 'not it, not at all' })
  for (let tries = 0; tries < 6; tries++) await signInByPassword(world, { user: 'bob', password: 'not it, not at all' })
  const held = await signInByPassword(world, { user: 'alice', code: codeAt(world.clock.now() + 30_000) })
  expect(held.visit.text).toContain('too many wrong tries')
  expect((await signInByPasskey(world, device)).visit.status).toBe(303)
  world.clock.advance(61_000)
  const right = await signInByPassword(world, { user: 'alice', code: codeAt(world.clock.now()) })
  expect(right.visit.status).toBe(303)
})

test('one connection to the store is enough for many passwords at once, and for a call beside them', async () => {
  const world = await setUp('identity: { local: {} }', { maxConnections: 1 })
  const { codeAt } = await joinByPassword(world, await linkFor(world, 'alice'))
  world.clock.advance(60_000)
  const signingIn = Array.from({ length: 12 }, (_, at) => signInByPassword(world, { user: `nobody-${at}` }))
  expect(await world.as('alice').whoami({})).toMatchObject({ principal: 'user:alice' })
  expect(new Set((await Promise.all(signingIn)).map(({ visit }) => visit.status))).toEqual(new Set([403]))
  const right = await signInByPassword(world, { user: 'alice', code: codeAt(world.clock.now()) })
  expect(right.visit.status).toBe(303)
})

test('an agent of someone with an account here works by the token they have made for it, until their login is over', async () => {
  const world = await setUp('identity: { local: {} }\nagents: [{ id: helper, user: alice }]')
  const { browser } = await joinByPasskey(world, await linkFor(world, 'alice'))
  const { url } = world.server
  const { token } = await clientByCookie(url, cookieIn(browser)).createAgentToken({ id: 'helper' })
  const helper = createClient({ url, token })
  expect(await helper.whoami({})).toMatchObject({ principal: 'agent:helper', actsFor: ['user:alice'] })
  const [login] = (await world.admin.listLogins({ principal: 'user:alice' })).items
  await world.admin.endLogin({ id: login?.id ?? '' })
  expect(await outcomeOf(helper.whoami({}))).toBe('unauthenticated')
})

test('whose factors are reset comes back by a link, once, and by nothing that they had', async () => {
  const world = await setUp()
  const { browser, codeAt, codes } = await joinByPassword(world, await linkFor(world, 'alice'))
  const { invitation } = await world.as('dora').resetFactors({ user: 'alice', reason: 'Phone stolen' })
  expect(await me(world, browser)).toBe(401)
  world.clock.advance(60_000)
  for (const code of [codeAt(world.clock.now()), codes[0] ?? ''])
    expect((await signInByPassword(world, { user: 'alice', code })).visit.status).toBe(403)
  const again = await joinByPasskey(world, invitation?.url ?? '')
  expect(await me(world, again.browser)).toMatchObject({ principal: 'user:alice' })
  expect((await again.browser.open(`${world.server.url}/login`)).text).toContain('reset at')
  expect(await world.admin.listFactors({ user: 'alice' })).toMatchObject({
    passkeys: [{ name: 'First passkey' }],
    account: { password: false },
  })
  const reused = await submit(createBrowser(), `${world.server.url}/join`, { secret: secretOf(invitation?.url ?? '') })
  expect(reused.status).toBe(404)
})

test('without passwords there is no way in by one, and without accounts nobody is believed by theirs', async () => {
  const world = await setUp('identity: { local: { passwords: refused } }')
  const { url } = world.server
  const { browser, device } = await joinByPasskey(world, await linkFor(world, 'alice'))
  expect((await createBrowser().open(`${url}/login`)).text).not.toContain('/login/local/password')
  await world.admin.applyConfig({ files: world.files.filter(({ path }) => path !== 'identity.yaml') })
  expect(await me(world, browser)).toBe(401)
  expect((await browser.open(`${url}/login/local`)).status).toBe(404)
  await world.admin.applyConfig({ files: world.files })
  expect((await signInByPasskey(world, device)).visit.status).toBe(303)
  const without = world.files.map((file) => ({
    ...file,
    text: file.text.replace(/ {2}- \{ id: alice,.*\n/, '').replaceAll('[alice, ', '['),
  }))
  await world.admin.applyConfig({ files: without })
  expect((await signInByPasskey(world, device)).visit.status).toBe(403)
})
