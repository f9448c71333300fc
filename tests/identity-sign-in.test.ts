/** People who sign in at a provider: who they are here, what is believed of them, and what is not. */

import { expect, test, vi } from 'vitest'
import { createBrowser } from './support/browser.ts'
import { send } from './support/http.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { entriesOf, everythingIn, inStore, stateOf } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

test('someone whom the provider knows signs in, and is whom their address says, with the groups and the proof that it says', async () => {
  const { world, signIn } = await createSignInWorld()
  const erin = account('erin', { groups: ['platform', 'everyone'] }, { amr: ['pwd', 'mfa'], acr: 'phr' })
  const { browser, visit } = await signIn(erin)
  expect([visit.status, visit.at]).toEqual([200, `${world.server.url}/login`])
  expect(visit.text).toContain('You are signed in as erin@example.com.')
  const me = JSON.parse((await browser.call(`${world.server.url}/v1/me`)).text)
  expect(me).toMatchObject({
    principal: 'user:erin@example.com',
    groups: ['engineers', 'okta/everyone', 'okta/platform'],
    administrator: false,
    authentication: { method: 'oidc', mfa: true, phishingResistant: true },
    login: expect.stringMatching(/^lgn_/),
  })
  expect(Math.abs(Date.parse(me.authentication.at) - world.clock.now())).toBeLessThan(60_000)
})

test('a request by someone who signed in is decided by their groups, opened by their browser, and remembers how they were known', async () => {
  const { world, signIn } = await createSignInWorld()
  const { browser } = await signIn(account('erin', { groups: ['platform'] }))
  const body = { role: 'orders-db/readonly', duration: '1h', reason: 'Look at order 7' }
  const opened = await browser.call(`${world.server.url}/v1/access`, { method: 'POST', body })
  expect([opened.status, JSON.parse(opened.text).grant.state]).toEqual([200, 'active'])
  const [row] = await inStore(world.store, 'select authentication, login from access_grant')
  expect(row).toMatchObject({ authentication: { method: 'oidc', mfa: false }, login: expect.stringMatching(/^lgn_/) })
})

test('the cookies are of this host alone, over TLS alone, out of reach of scripts, and hold nothing that the store or the log does', async () => {
  const { world, signIn } = await createSignInWorld()
  const { browser } = await signIn(account('erin'))
  const ours = browser.seen.filter((line) => line.startsWith('__Host-tidegate'))
  expect(ours.length).toBe(3)
  for (const line of ours) {
    expect(line).toMatch(/; Path=\/(;|$)/)
    expect(line).toMatch(/; HttpOnly(;|$)/)
    expect(line).toMatch(/; Secure(;|$)/)
    expect(line).toMatch(/; SameSite=Lax(;|$)/)
    expect(line).not.toMatch(/Domain=/i)
  }
  const secret = browser.cookies.get(new URL(world.server.url).host)?.get('__Host-tidegate') ?? ''
  expect(secret).toMatch(/^tds_[A-Za-z0-9_-]{43}$/)
  expect(await everythingIn(world.store)).not.toContain(secret)
})

test('a cookie counts only where our own page sent it: not without the header, and not from another site', async () => {
  const { world, signIn } = await createSignInWorld()
  const { browser } = await signIn(account('erin'))
  const { url } = world.server
  const cookie = `__Host-tidegate=${browser.cookies.get(new URL(url).host)?.get('__Host-tidegate')}`
  const own = { cookie, 'x-tidegate-request': '1' }
  const body = JSON.stringify({ role: 'orders-db/readonly', duration: '1h' })
  const post = (headers: Record<string, string>) => send(url, { method: 'POST', path: '/v1/ask', headers, body })
  const get = (headers: Record<string, string>) => send(url, { path: '/v1/me', headers })
  expect((await post({ ...own, origin: url })).status).toBe(200)
  expect((await post({ ...own, 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  expect((await get(own)).status).toBe(200)
  const refused = [
    await get({ cookie }),
    await get({ ...own, 'sec-fetch-site': 'cross-site' }),
    await get({ ...own, origin: 'https://evil.example' }),
    await post({ cookie, origin: url }),
    await post(own),
    await post({ ...own, origin: 'https://evil.example' }),
    await post({ ...own, origin: 'null' }),
    await post({ ...own, origin: url, 'sec-fetch-site': 'same-site' }),
    await get({ ...own, cookie: `${cookie}; ${cookie}` }),
    await get({ ...own, cookie: `${cookie}A` }),
    await get({ ...own, authorization: 'Bearer nonsense' }),
  ]
  expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 401))
  expect(new Set(refused.map(({ text }) => text)).size).toBe(1)
})

test('whoever is declared signs in as themselves by a verified address of the provider’s domain, and keeps it from the next who has that address', async () => {
  const { world, signIn, apply } = await createSignInWorld()
  await apply((files) =>
    files.map((file) => ({
      ...file,
      text: file.text.replace('{ id: alice, manager: dora,', '{ id: alice, email: Alice@Example.com, manager: dora,'),
    })),
  )
  const { visit } = await signIn(account('subject-1', { email: 'alice@example.com' }))
  expect(visit.text).toContain('You are signed in as alice.')
  const second = await signIn(account('subject-2', { email: 'alice@example.com' }))
  expect([second.visit.status, second.visit.text.includes('You are not known here')]).toEqual([403, true])
  const refused = (await entriesOf(world.admin)).find(({ type }) => type === 'login.refused')
  expect(refused?.entry).toMatchObject({ provider: 'okta', cause: 'linked-to-another' })
})

test.each([
  ['an address that is not verified', { email_verified: false }],
  ['an address that is only said to be verified', { email_verified: 'true' }],
  ['an address of another domain', { email: 'dora@elsewhere.example' }],
  ['no address', { email: undefined }],
  ['an address that is none', { email: 'dora' }],
  ['a list of addresses', { email: ['dora@example.com'] }],
])('nobody becomes an administrator by %s', async (_how, claims) => {
  const { world, signIn, apply } = await createSignInWorld()
  await apply((files) =>
    files.map((file) => ({ ...file, text: file.text.replace('{ id: dora,', '{ id: dora, email: dora@example.com,') })),
  )
  const { visit } = await signIn(account('mallory', { email: 'dora@example.com', ...claims }))
  expect(visit.status).toBe(403)
  expect(await inStore(world.store, 'select id from login')).toEqual([])
})

test('a group at the provider is never a group of configuration, whatever it is called', async () => {
  const { world, signIn } = await createSignInWorld()
  const { browser } = await signIn(
    account('erin', { groups: ['tidegate-admins', '../tidegate-admins', 'group:security'] }),
  )
  const me = JSON.parse((await browser.call(`${world.server.url}/v1/me`)).text)
  expect(me).toMatchObject({ administrator: false, auditor: false })
  expect(me.groups.every((group: string) => group.startsWith('okta/'))).toBe(true)
})

test('a sign-in that configuration names by its subject goes before every address', async () => {
  const { signIn, apply } = await createSignInWorld()
  await apply((files) =>
    files.map((file) => ({
      ...file,
      text: file.text.replace(
        '{ id: dora,',
        '{ id: dora, email: dora@example.com, signIns: [{ provider: okta, subject: the-real-dora }],',
      ),
    })),
  )
  expect((await signIn(account('mallory', { email: 'dora@example.com' }))).visit.status).toBe(403)
  const real = await signIn(account('the-real-dora', { email: 'someone@example.com' }))
  expect(real.visit.text).toContain('You are signed in as dora.')
})

test('newcomers are refused unless the provider may bring them, and nothing is kept of them', async () => {
  const { world, signIn, apply } = await createSignInWorld()
  await apply((files) =>
    files.map((file) => ({ ...file, text: file.text.replace('newcomers: create', 'newcomers: refuse') })),
  )
  expect((await signIn(account('erin'))).visit.status).toBe(403)
  expect(await inStore(world.store, 'select id from directory_user')).toEqual([])
})

test('a sign-in is finished by the browser that began it, once', async () => {
  const { world, provider, signIn } = await createSignInWorld()
  provider.signInAs(account('erin'))
  const browser = createBrowser()
  let visit = await browser.step(`${world.server.url}/login/okta`)
  while (!String(visit.headers['location']).includes('/login/callback/'))
    visit = await browser.step(new URL(String(visit.headers['location']), visit.at).href)
  const callback = String(visit.headers['location'])
  expect((await createBrowser().step(callback)).status).toBe(400)
  const another = createBrowser()
  await another.step(`${world.server.url}/login/okta`)
  expect((await another.step(callback)).status).toBe(400)
  const copy = new Map(browser.cookies.get(new URL(world.server.url).host))
  expect((await browser.step(callback)).status).toBe(303)
  expect((await browser.step(callback)).status).toBe(400)
  // Even with the cookie of before: the provider has seen the code.
  const cookie = [...copy].map(([name, value]) => `${name}=${value}`).join('; ')
  const replayed = await send(world.server.url, { path: callback.slice(world.server.url.length), headers: { cookie } })
  expect(replayed.status).toBe(400)
  expect((await inStore(world.store, 'select id from login')).length).toBe(1)
  await signIn(account('erin'))
})

test('an attempt is over after a quarter of an hour', async () => {
  const { world, provider } = await createSignInWorld()
  provider.signInAs(account('erin'))
  const browser = createBrowser()
  const { headers } = await browser.step(`${world.server.url}/login/okta`)
  world.clock.advance(15 * 60_000)
  expect((await browser.open(String(headers['location']))).status).toBe(400)
})

test('a sign-in brings a browser a new secret, whatever it held before, and ends what it was logged in as', async () => {
  const { world, signIn } = await createSignInWorld()
  const { browser } = await signIn(account('erin'))
  const { host } = new URL(world.server.url)
  const planted = createBrowser()
  planted.cookies.set(host, new Map([['__Host-tidegate', browser.cookies.get(host)?.get('__Host-tidegate') as string]]))
  await signIn(account('frank'), planted)
  expect(planted.cookies.get(host)?.get('__Host-tidegate')).not.toBe(browser.cookies.get(host)?.get('__Host-tidegate'))
  expect((await planted.call(`${world.server.url}/v1/me`)).text).toContain('user:frank@example.com')
  expect((await browser.call(`${world.server.url}/v1/me`)).status).toBe(401)
})

test.each([
  ['//evil.example', '/login'],
  ['/\\evil.example', '/login'],
  ['https://evil.example/', '/login'],
  ['/..//evil.example', '/login'],
  ['/%0d%0aSet-Cookie: a=b', '/login'],
  ['javascript:alert(1)', '/login'],
  ['/requests?status=pending', '/requests?status=pending'],
])('from %s a sign-in leads back to a path of ours', async (asked, to) => {
  const { world, provider } = await createSignInWorld()
  provider.signInAs(account('erin'))
  const browser = createBrowser()
  let visit = await browser.step(`${world.server.url}/login/okta?return=${encodeURIComponent(asked)}`)
  while (!visit.at.includes('/login/callback/'))
    visit = await browser.step(new URL(String(visit.headers['location']), visit.at).href)
  expect([visit.status, visit.headers['location']]).toEqual([303, to])
})

test('an error of the provider, and nonsense, sign nobody in and change nothing', async () => {
  const { world } = await createSignInWorld()
  const before = await stateOf(world.store)
  const browser = createBrowser()
  await browser.step(`${world.server.url}/login/okta`)
  const { url } = world.server
  for (const query of [
    'error=access_denied&state=x',
    'code=x&state=x',
    '',
    'code=a&code=b&state=x',
    `state=${'x'.repeat(5_000)}`,
  ])
    expect((await browser.step(`${url}/login/callback/okta?${query}`)).status).toBe(400)
  expect((await browser.step(`${url}/login/nobody`)).status).toBe(404)
  expect((await browser.step(`${url}/login/callback/nobody`)).status).toBe(404)
  expect(await stateOf(world.store)).toEqual(before)
})

test('whoever calls too often without being known is told to wait, before a provider is asked for anything', async () => {
  const { world, provider } = await createSignInWorld()
  const asked = provider.paths.length
  const answers = await Promise.all(
    Array.from({ length: 150 }, () => send(world.server.url, { path: '/login/callback/okta?code=x&state=x' })),
  )
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(0)
  expect(refused[0]?.headers['retry-after']).toMatch(/^\d+$/)
  expect(provider.paths.length).toBe(asked)
  expect((await world.admin.whoami({})).administrator).toBe(true)
})
