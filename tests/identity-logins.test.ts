/** Logins end: by the clock, by hand, by their provider, and with whoever they were for; and what rests on them ends with them. */

import { createHash, randomBytes } from 'node:crypto'
import { connectorKinds } from '@tidegate/connectors'
import type { Instant } from '@tidegate/core'
import { createLogger } from '@tidegate/server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createConfigurations } from '../packages/server/src/configuration/configurations.ts'
import { reassessPeople } from '../packages/server/src/identity/directory/reassess-people.ts'
import { putUser, removeUser } from '../packages/server/src/identity/directory/write.ts'
import { findPrincipals } from '../packages/server/src/identity/principals.ts'
import { change } from '../packages/server/src/store/change.ts'
import { createDatabase, createPool } from '../packages/server/src/store/database.ts'
import { opened, outcomeOf } from './support/access.ts'
import type { Browser } from './support/browser.ts'
import { createBrowser } from './support/browser.ts'
import { send } from './support/http.ts'
import type { SignInWorld } from './support/sign-in.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { entriesOf, entryTypesOf, inStore } from './support/story.ts'

// Each starts a Tidegate, a target and a provider: the first one of a file, on a busy machine, takes its time.
vi.setConfig({ testTimeout: 120_000 })

const minute = 60_000

const whoami = async ({ world }: SignInWorld, browser: Browser): Promise<number> =>
  (await browser.call(`${world.server.url}/v1/me`)).status

const heldBy = ({ world }: SignInWorld, browser: Browser): string =>
  browser.cookies.get(new URL(world.server.url).host)?.get('__Host-tidegate') ?? ''

const callWith = ({ world }: SignInWorld, secret: string) =>
  send(world.server.url, {
    path: '/v1/me',
    headers: { cookie: `__Host-tidegate=${secret}`, 'x-tidegate-request': '1' },
  })

async function openedBy({ world }: SignInWorld, browser: Browser): Promise<string> {
  const body = { role: 'orders-db/readonly', duration: '1h', reason: 'Look at order 7' }
  const answer = await browser.call(`${world.server.url}/v1/access`, { method: 'POST', body })
  expect(answer.status).toBe(200)
  return JSON.parse(answer.text).grant.id
}

test('a login that is not used for an hour is over', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  scene.world.clock.advance(60 * minute - 1)
  expect(await whoami(scene, browser)).toBe(200)
  scene.world.clock.advance(60 * minute)
  expect(await whoami(scene, browser)).toBe(401)
})

test('a login that is used is over after half a day', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  for (let hours = 0; hours < 11; hours++) {
    scene.world.clock.advance(59 * minute)
    expect(await whoami(scene, browser)).toBe(200)
  }
  scene.world.clock.advance(71 * minute)
  expect(await whoami(scene, browser)).toBe(401)
})

test('limits that configuration lowers hold for logins that were begun before', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  scene.world.clock.advance(30 * minute)
  expect(await whoami(scene, browser)).toBe(200)
  await scene.apply((files) =>
    files.map((file) =>
      file.path === 'identity.yaml' ? { ...file, text: `${file.text}  sessions: { longest: 30m }\n` } : file,
    ),
  )
  expect(await whoami(scene, browser)).toBe(401)
})

test('what a browser holds changes while it is used; what it held before is good for a minute, and then ends the login', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const first = heldBy(scene, browser)
  scene.world.clock.advance(10 * minute)
  const [one, two] = await Promise.all([callWith(scene, first), callWith(scene, first)])
  expect([one?.status, two?.status]).toEqual([200, 200])
  expect([one, two].filter((answer) => answer?.headers['set-cookie'] !== undefined).length).toBe(1)
  const [line = ''] = [one?.headers['set-cookie'] ?? two?.headers['set-cookie'] ?? []].flat()
  const second = /=([^;]+)/.exec(line)?.[1] ?? ''
  expect(second).not.toBe(first)
  scene.world.clock.advance(minute - 1)
  expect((await callWith(scene, first)).status).toBe(200)
  scene.world.clock.advance(1)
  expect((await callWith(scene, first)).status).toBe(401)
  expect((await callWith(scene, second)).status).toBe(401)
  expect(await inStore(scene.world.store, 'select end_reason from login')).toEqual([{ end_reason: 'reused' }])
})

test('people see and end their own logins, administrators everyone’s, and nobody else anyone’s', async () => {
  const scene = await createSignInWorld()
  const { world } = scene
  const erin = await scene.signIn(account('erin'))
  world.clock.advance(1)
  const elsewhere = await scene.signIn(account('erin'))
  const frank = await scene.signIn(account('frank'))
  const list = async (browser: Browser) => JSON.parse((await browser.call(`${world.server.url}/v1/logins`)).text).items
  const own = await list(erin.browser)
  expect(own.map(({ principal, current }: Record<string, unknown>) => [principal, current])).toEqual([
    ['user:erin@example.com', false],
    ['user:erin@example.com', true],
  ])
  const end = (browser: Browser, id: string) =>
    browser.call(`${world.server.url}/v1/logins/${id}/end`, { method: 'POST', body: {} })
  expect((await end(frank.browser, own[0].id)).status).toBe(404)
  expect((await end(erin.browser, own[0].id)).status).toBe(200)
  expect([await whoami(scene, elsewhere.browser), await whoami(scene, erin.browser)]).toEqual([401, 200])
  await expect(world.as('sam').endLogin({ id: own[1].id })).rejects.toMatchObject({ code: 'forbidden' })
  expect((await world.as('sam').listLogins({ principal: 'user:erin@example.com' })).items.length).toBe(2)
  const ended = await world.admin.endLogin({ id: own[1].id })
  expect(ended).toMatchObject({ endReason: 'ended', principal: 'user:erin@example.com' })
  expect(await whoami(scene, erin.browser)).toBe(401)
})

test('signing out takes a page of ours, ends the login, and offers to sign out of the provider', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const { url } = scene.world.server
  expect((await browser.post(`${url}/logout`, '', { origin: 'https://evil.example' })).status).toBe(403)
  expect((await browser.post(`${url}/logout`, '')).status).toBe(403)
  expect(await whoami(scene, browser)).toBe(200)
  const secret = heldBy(scene, browser)
  const page = await browser.post(`${url}/logout`, '', { origin: url })
  expect([page.status, page.text.includes(`${scene.provider.issuer}/session/end?`)]).toEqual([200, true])
  expect((await callWith(scene, secret)).status).toBe(401)
  expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/)
})

test('someone whom the provider logs out loses the logins of that session there, and what was opened through them, at once', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const other = await scene.signIn(account('frank', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  const kept = await openedBy(scene, other.browser)
  const [login] = await inStore(
    scene.world.store,
    `select provider_session from login where user_id = 'erin@example.com'`,
  )
  const token = await scene.logoutToken({ sid: login?.['provider_session'] })
  expect((await scene.sendLogout(token)).status).toBe(200)
  expect([await whoami(scene, browser), await whoami(scene, other.browser)]).toEqual([401, 200])
  expect((await scene.world.admin.getGrant({ id: grant })).end).toMatchObject({
    reason: 'fact-changed',
    note: 'okta said that its holder is logged out.',
  })
  expect((await scene.world.admin.getGrant({ id: kept })).state).toBe('active')
  expect(await entryTypesOf(scene.world.admin)).toContain('login.logout-received')
  expect((await scene.sendLogout(token)).status).toBe(400)
})

test('a logout token that is not one of the provider, for us, now, ends nothing', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin'))
  const now = Math.floor(scene.world.clock.now() / 1_000)
  const idToken = await scene.logoutToken({ sub: 'erin', nonce: 'n' })
  const bad = [
    await scene.logoutToken({ sub: 'erin', events: {} }),
    await scene.logoutToken({ sub: 'erin', events: { 'http://schemas.openid.net/event/backchannel-logout': true } }),
    idToken,
    await scene.logoutToken({ sub: 'erin', jti: '' }),
    await scene.logoutToken({ sub: 'erin', jti: undefined }),
    await scene.logoutToken({}),
    await scene.logoutToken({ sub: 'erin' }, { issuedAt: now - 200 }),
    await scene.logoutToken({ sub: 'erin' }, { issuedAt: now + 100 }),
    `${(await scene.logoutToken({ sub: 'erin' })).slice(0, -6)}AAAAAA`,
    `eyJhbGciOiJub25lIn0.${(await scene.logoutToken({ sub: 'erin' })).split('.')[1]}.`,
    'nonsense',
    '',
  ]
  const answers = await Promise.all(bad.map((token) => scene.sendLogout(token)))
  expect(answers.map(({ status }) => status)).toEqual(bad.map(() => 400))
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
  expect(await whoami(scene, browser)).toBe(200)
})

test('a mover who signs in without the group that a live grant rests on loses it', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  await scene.signIn(account('erin', { groups: ['sales'] }))
  expect((await scene.world.admin.getGrant({ id: grant })).end).toMatchObject({ reason: 'fact-changed' })
  const changed = (await entriesOf(scene.world.admin)).filter(({ type }) => type === 'directory.groups-changed')
  expect(changed.at(-1)?.entry).toMatchObject({ added: ['okta/sales'], removed: ['okta/platform'] })
})

test('what was said of groups at a sign-in is believed for as long as a login lasts, and no longer', async () => {
  const scene = await createSignInWorld({ more: '  sessions: { longest: 30m }' })
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  scene.world.clock.advance(30 * minute)
  await reassessPeople(lifecycleOf(scene), ['erin@example.com'])
  expect((await scene.world.admin.getGrant({ id: grant })).end).toMatchObject({ reason: 'fact-changed' })
})

/** What a source of people does: here by the functions that it will call. */
function lifecycleOf({ world }: SignInWorld) {
  const log = createLogger('silent')
  const pool = createPool({
    url: world.store.url,
    maxConnections: 4,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 30_000,
    log,
  })
  const db = createDatabase(pool)
  onTestFinished(() => db.destroy())
  const runtime = { now: () => world.clock.now() as Instant, random: randomBytes }
  return { db, runtime, configurations: createConfigurations(connectorKinds), findPrincipals }
}

test('a leaver loses every login and every grant, of agents that act for them too, and does not come back by signing in', async () => {
  const scene = await createSignInWorld()
  await scene.apply((files) =>
    files.map((file) => ({
      ...file,
      text: file.text
        .replace(
          'services:',
          `agents: [{ id: erins-helper, user: erin@example.com, tokens: [{ hash: '${hashOf(scene, 'erins-helper')}', expires: '2099-01-01T00:00:00Z' }] }]\nservices:`,
        )
        .replace('members: [group:okta/platform,', 'members: [group:okta/platform, agent:erins-helper,'),
    })),
  )
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  const helpers = (await opened(scene.world.as('erins-helper'))).grant.id
  const lifecycle = lifecycleOf(scene)
  const suspended = { id: 'erin@example.com', source: 'okta', externalId: 'erin', active: false, about: {} }
  expect(await change(lifecycle, (unit) => putUser(unit, suspended))).toBe('suspended')
  expect((await reassessPeople(lifecycle, ['erin@example.com'])).ended.length).toBe(2)
  expect(await whoami(scene, browser)).toBe(401)
  for (const id of [grant, helpers])
    expect((await scene.world.admin.getGrant({ id })).end).toMatchObject({ reason: 'fact-changed' })
  await expect(scene.world.as('erins-helper').whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  expect((await scene.signIn(account('erin', { groups: ['platform'] }))).visit.status).toBe(403)
  expect(await inStore(scene.world.store, 'select end_reason from login')).toEqual([{ end_reason: 'suspended' }])
})

const hashOf = ({ world }: SignInWorld, id: string): string =>
  `sha256:${createHash('sha256').update(world.tokenOf(id)).digest('hex')}`

test('someone whom a source takes away is as if they had never been there, and so is what rested on them', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  const lifecycle = lifecycleOf(scene)
  const erin = { id: 'erin@example.com', source: 'okta' }
  expect(await change(lifecycle, (unit) => removeUser(unit, { ...erin, source: 'another' }))).toBe(false)
  expect(await change(lifecycle, (unit) => removeUser(unit, erin))).toBe(true)
  await reassessPeople(lifecycle, [erin.id])
  expect(await whoami(scene, browser)).toBe(401)
  expect((await scene.world.admin.getGrant({ id: grant })).end).toMatchObject({ reason: 'fact-changed' })
  for (const table of ['directory_user', 'directory_membership', 'login_link'])
    expect(await inStore(scene.world.store, `select * from ${table}`)).toEqual([])
})

test('people of a provider that configuration no longer names are nobody any more', async () => {
  const scene = await createSignInWorld()
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  await scene.apply((files) =>
    files
      .filter(({ path }) => path !== 'identity.yaml')
      .map((file) => ({ ...file, text: file.text.replace('group:okta/platform, ', '') })),
  )
  expect(await whoami(scene, browser)).toBe(401)
  expect((await scene.world.admin.getGrant({ id: grant })).end).toMatchObject({ reason: 'policy-changed' })
  expect((await createBrowser().step(`${scene.world.server.url}/login/okta`)).status).toBe(404)
})

test('a sign-in that an administrator unlinks is over, with its logins and grants, and is asked about anew', async () => {
  const scene = await createSignInWorld()
  const { world } = scene
  const { browser } = await scene.signIn(account('erin', { groups: ['platform'] }))
  const grant = await openedBy(scene, browser)
  const user = 'erin@example.com'
  const own = await browser.call(`${world.server.url}/v1/login-links`)
  const [link] = JSON.parse(own.text).items
  expect(link).toMatchObject({ provider: 'okta', principal: `user:${user}`, linkedBy: 'newcomer' })
  expect((await world.as('sam').listLoginLinks({ user })).items).toEqual([link])
  expect(await outcomeOf(world.as('bob').listLoginLinks({ user }))).toBe('forbidden')
  const which = { provider: 'okta', subject: link.subject }
  for (const who of ['bob', 'sam']) expect(await outcomeOf(world.as(who).removeLoginLink(which))).toBe('forbidden')

  expect(await world.admin.removeLoginLink(which)).toEqual(link)
  expect(await whoami(scene, browser)).toBe(401)
  expect((await world.admin.getGrant({ id: grant })).end?.reason).toBe('fact-changed')
  expect(await outcomeOf(world.admin.removeLoginLink(which))).toBe('not-found')
  const entry = (await entriesOf(world.admin)).find(({ type }) => type === 'login.unlinked')
  expect(entry).toMatchObject({
    entry: { provider: 'okta', logins: 1, grants: 1 },
    disclosed: { '/principal': `user:${user}`, '/subject': link.subject, '/by': 'user:admin' },
  })
  await scene.signIn(account('erin', { groups: ['platform'] }), browser)
  expect(await whoami(scene, browser)).toBe(200)
})

test('who has the address of someone that was removed is someone else, whose nothing of theirs is', async () => {
  const scene = await createSignInWorld()
  const { world } = scene
  const platform = { groups: ['platform'] }
  const asErin = async (sub: string): Promise<Browser> =>
    (await scene.signIn(account(sub, { email: 'erin@example.com', ...platform }))).browser
  const nameOf = async (browser: Browser) =>
    JSON.parse((await browser.call(`${world.server.url}/v1/me`)).text).principal
  const ofOwn = async (browser: Browser, what: string) =>
    JSON.parse((await browser.call(`${world.server.url}/v1/${what}`)).text).items.length
  const first = await asErin('erin')
  const grant = await openedBy(scene, first)
  await scene.forget('erin@example.com')
  const second = await asErin('erin-the-younger')
  expect(await nameOf(second)).toBe('user:erin@example.com+2')
  expect([await ofOwn(second, 'grants'), await ofOwn(second, 'requests'), await ofOwn(second, 'logins')]).toEqual([
    0, 0, 1,
  ])
  const other = await second.call(`${world.server.url}/v1/grants/${grant}`)
  expect(other.status).toBe(404)
  // While one of them is there, the address is theirs alone.
  expect((await scene.signIn(account('erin', { email: 'erin@example.com', ...platform }))).visit.status).toBe(403)
  await scene.forget('erin@example.com+2')
  expect(await nameOf(await asErin('erin-the-youngest'))).toBe('user:erin@example.com+3')
  await scene.forget('erin@example.com+3')
  // By what the provider calls them for ever, it is the first one again.
  expect(await nameOf(await asErin('erin'))).toBe('user:erin@example.com')
})
