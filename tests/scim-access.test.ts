/** Joiner, mover, leaver: what a source pushes decides at once who gets in and what stays open. */

import { expect, test, vi } from 'vitest'
import { logIn, opened } from './support/access.ts'
import type { Browser } from './support/browser.ts'
import { joined, newSession, reportsOf, throughGateways } from './support/gateways.ts'
import type { ScimWorld } from './support/scim.ts'
import { createScimWorld, patchOf, pushGroup, pushUser, userOf } from './support/scim.ts'
import { account } from './support/sign-in.ts'
import { entriesOf, everythingIn, inStore } from './support/story.ts'

vi.setConfig({ testTimeout: 120_000 })

/** Pushed, in the group that engineers are made of, signed in, and with a session open on the target. */
async function atWork(scene: ScimWorld, name = 'erin') {
  const id = await pushUser(scene.okta, name)
  const group = await pushGroup(scene.okta, 'platform', [id])
  const { browser } = await scene.signIn(account(name))
  const body = { role: 'orders-db/readonly', duration: '1h', reason: 'Look at order 7' }
  const answer = await browser.call(`${scene.world.server.url}/v1/access`, { method: 'POST', body })
  expect([answer.status, answer.text]).toEqual([200, answer.text])
  const { grant, credential } = JSON.parse(answer.text)
  const session = await logIn(credential)
  await session.query('select 1')
  return { id, group, browser, grant: grant.id as string, session }
}

const whoami = async ({ world }: ScimWorld, browser: Browser): Promise<number> =>
  (await browser.call(`${world.server.url}/v1/me`)).status

const endOf = async ({ world }: ScimWorld, id: string) => (await world.admin.getGrant({ id })).end

const changesOf = async ({ world }: ScimWorld, type: string) =>
  (await entriesOf(world.admin)).filter((entry) => entry.type === type).map(({ entry }) => entry)

test('a joiner who was pushed signs in, though newcomers are refused, and has what their group gives; others do not get in', async () => {
  const scene = await createScimWorld()
  const { session } = await atWork(scene)
  expect(session.isCut()).toBe(false)
  expect((await scene.signIn(account('frank'))).visit.status).toBe(403)
  expect(await inStore(scene.world.store, 'select user_id, linked_by from login_link')).toEqual([
    { user_id: 'erin@example.com', linked_by: 'directory' },
  ])
  expect(await changesOf(scene, 'directory.user-changed')).toMatchObject([{ source: 'people', change: 'added' }])
  expect(await changesOf(scene, 'directory.group-changed')).toMatchObject([
    { group: 'people/platform', change: 'added' },
  ])
  expect(await changesOf(scene, 'directory.groups-changed')).toMatchObject([
    { added: ['people/platform'], removed: [] },
  ])
})

test('a mover who loses the group that a live grant rests on loses the grant in the same request, and keeps their login', async () => {
  const scene = await createScimWorld()
  const { id, group, browser, grant, session } = await atWork(scene)
  await scene.okta.must('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: `members[value eq "${id}"]` }))
  expect(await endOf(scene, grant)).toMatchObject({ reason: 'fact-changed' })
  await scene.world.server.drain()
  await session.cut
  expect(await whoami(scene, browser)).toBe(200)
  expect((await changesOf(scene, 'directory.groups-changed')).at(-1)).toMatchObject({ removed: ['people/platform'] })
})

test('a statement waits for whoever is pushed into a group of its approvers, and no longer for whoever was taken out', async () => {
  const scene = await createScimWorld()
  await scene.apply(throughGateways)
  const { world, okta } = scene
  const id = await pushUser(okta, 'erin')
  const group = await pushGroup(okta, 'platform', [id])
  const { browser } = await scene.signIn(account('erin'))
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const session = newSession()
  await gateway.client.reportSessions({ reports: [reportsOf(world, { session, grant: grant.id }).opened()] })
  const ask = async (number: number): Promise<string> => {
    const statement = `stm_${String(number).padStart(26, '0')}`
    const about = 'DELETE on shop.orders needs the approval of a person'
    const says = { rule: 'ask', about, text: 'delete from shop.orders', parameters: [], withinSeconds: 600 }
    await gateway.client.askStatement({ id: statement, session, number, approvers: [['engineers']], ...says })
    return `${world.server.url}/v1/statements/${statement}/approve`
  }
  const approve = async (url: string) => (await browser.call(url, { method: 'POST', body: {} })).status
  expect(await approve(await ask(1))).toBe(200)
  const later = await ask(2)
  await okta.must('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: `members[value eq "${id}"]` }))
  expect(await approve(later)).toBe(404)
})

test.each<[how: string, act: (scene: ScimWorld, group: string) => Promise<unknown>]>([
  [
    'is renamed',
    ({ okta }, group) =>
      okta.must('PATCH', `/Groups/${group}`, patchOf({ op: 'replace', value: { displayName: 'sales' } })),
  ],
  ['is deleted', ({ okta }, group) => okta.must('DELETE', `/Groups/${group}`)],
  [
    'is sent whole without them',
    ({ okta }, group) => okta.must('PUT', `/Groups/${group}`, { displayName: 'platform', members: [] }),
  ],
])('what rests on a group ends when that %s', async (_how, act) => {
  const scene = await createScimWorld()
  const { group, grant } = await atWork(scene)
  await act(scene, group)
  expect(await endOf(scene, grant)).toMatchObject({ reason: 'fact-changed' })
})

test.each<[how: string, act: (scene: ScimWorld, id: string) => Promise<unknown>]>([
  [
    'is not active any more',
    ({ okta }, id) => okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } })),
  ],
  [
    'is not active in Entra ID’s words',
    ({ okta }, id) => okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'Replace', path: 'active', value: 'False' })),
  ],
  [
    'is sent whole and not active',
    ({ okta }, id) => okta.must('PUT', `/Users/${id}`, userOf('erin', { active: false })),
  ],
  ['is deleted', ({ okta }, id) => okta.must('DELETE', `/Users/${id}`)],
])(
  'a leaver who %s has lost every login and grant when the answer comes, and does not come back by signing in',
  async (_how, act) => {
    const scene = await createScimWorld()
    const { id, browser, grant, session } = await atWork(scene)
    await act(scene, id)
    expect(await whoami(scene, browser)).toBe(401)
    expect(await endOf(scene, grant)).toMatchObject({ reason: 'fact-changed' })
    await scene.world.server.drain()
    await session.cut
    expect((await scene.signIn(account('erin'))).visit.status).toBe(403)
    expect(await inStore(scene.world.store, 'select end_reason from login')).toEqual([{ end_reason: 'suspended' }])
  },
)

test('who comes back has their groups again, and nothing of what was open before', async () => {
  const scene = await createScimWorld()
  const { id, grant } = await atWork(scene)
  const active = (value: boolean) =>
    scene.okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', path: 'active', value }))
  await active(false)
  await active(true)
  expect(await endOf(scene, grant)).toMatchObject({ reason: 'fact-changed' })
  const { browser } = await scene.signIn(account('erin'))
  const me = JSON.parse((await browser.call(`${scene.world.server.url}/v1/me`)).text)
  expect(me.groups ?? me.principal?.groups).toContain('engineers')
  expect((await changesOf(scene, 'directory.user-changed')).map(({ change }) => change)).toEqual([
    'added',
    'suspended',
    'restored',
  ])
})

test('people in a group of a group are in both', async () => {
  const scene = await createScimWorld()
  const { id, group, grant } = await atWork(scene)
  const inner = await pushGroup(scene.okta, 'inner', [id])
  await scene.okta.must(
    'PATCH',
    `/Groups/${group}`,
    patchOf({ op: 'replace', path: 'members', value: [{ value: inner }] }),
  )
  expect(await endOf(scene, grant)).toBeUndefined()
  await scene.okta.must(
    'PATCH',
    `/Groups/${group}`,
    patchOf({ op: 'remove', path: 'members', value: [{ value: inner }] }),
  )
  expect(await endOf(scene, grant)).toMatchObject({ reason: 'fact-changed' })
})

/** Alice with an address, and whoever else is said. */
const withAddress = (scene: ScimWorld, more = '') =>
  scene.apply((files) =>
    files.map((file) => ({
      ...file,
      text: file.text.replace('- { id: alice,', `- { id: alice, email: alice@example.com, ${more}`),
    })),
  )

test('whom configuration declares is taken out with all that is open for them, and stays out when the source forgets them', async () => {
  const scene = await createScimWorld()
  await withAddress(scene)
  const { world, okta } = scene
  const id = await pushUser(okta, 'alice')
  const { grant } = await opened(world.as('alice'))
  await okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }))
  await expect(world.as('alice').whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  expect(await endOf(scene, grant.id)).toMatchObject({ reason: 'fact-changed' })
  await okta.must('DELETE', `/Users/${id}`)
  await expect(world.as('alice').whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  // The address went to somebody else, who does not bring back the one who left.
  const another = await okta.call('POST', '/Users', { body: userOf('alice', { externalId: 'another' }) })
  expect([another.status, another.body['scimType']]).toEqual([409, 'uniqueness'])
  await expect(world.as('alice').whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  await pushUser(okta, 'alice')
  expect((await world.as('alice').whoami({})).principal).toBe('user:alice')
})

test('nobody signs in as someone whom configuration declares by what a source says of them', async () => {
  const scene = await createScimWorld()
  await withAddress(scene, 'signIns: [{ provider: okta, subject: alice-at-okta }], ')
  const refused = await scene.okta.call('POST', '/Users', { body: userOf('alice', { externalId: 'mallory' }) })
  expect([refused.status, refused.body['scimType']]).toEqual([409, 'uniqueness'])
  const taken = await scene.okta.call('POST', '/Users', { body: userOf('carol', { userName: 'carol' }) })
  expect(taken.status).toBe(201)
  expect(await inStore(scene.world.store, 'select user_id from scim_user')).toEqual([{ user_id: 'carol@example.com' }])
  const named = userOf('alice', { externalId: 'alice-at-okta', userName: 'a.arden@example.com', emails: [] })
  await scene.okta.must('POST', '/Users', named)
  expect(await inStore(scene.world.store, `select user_id from scim_user where external_id = 'alice-at-okta'`)).toEqual(
    [{ user_id: 'alice' }],
  )
  expect((await scene.signIn(account('mallory', { email: 'alice@example.com' }))).visit.status).toBe(403)
  const erin = await pushUser(scene.okta, 'erin')
  const moved = patchOf({
    op: 'replace',
    value: { userName: 'alice@example.com', emails: [], externalId: 'alice-at-okta' },
  })
  expect((await scene.okta.call('PATCH', `/Users/${erin}`, { body: moved })).status).toBe(409)
})

test('someone who signed in before they were pushed stays who they are, and is then the source’s', async () => {
  const scene = await createScimWorld({ newcomers: 'create' })
  const { browser } = await scene.signIn(account('erin'))
  const id = await pushUser(scene.okta, 'erin')
  expect(await whoami(scene, browser)).toBe(200)
  expect((await scene.other.call('POST', '/Users', { body: userOf('erin') })).status).toBe(409)
  await scene.okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }))
  expect(await whoami(scene, browser)).toBe(401)
})

test('taking someone out succeeds whatever configuration has come to say of them', async () => {
  const scene = await createScimWorld()
  const { id, grant } = await atWork(scene)
  await scene.apply((files) =>
    files.map((file) => ({ ...file, text: file.text.replace('domains: [example.com]', 'domains: [example.org]') })),
  )
  await scene.okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }))
  expect(await endOf(scene, grant)).toMatchObject({ reason: 'fact-changed' })
  expect(
    (await scene.okta.call('PATCH', `/Users/${id}`, { body: patchOf({ op: 'replace', value: { active: true } }) }))
      .status,
  ).toBe(400)
})

test('a source that configuration no longer names is not listened to, and its people and groups are nobody’s', async () => {
  const scene = await createScimWorld()
  const { grant, browser } = await atWork(scene)
  await scene.apply((files) =>
    files.map((file) => ({
      ...file,
      text: file.text.replace(/ {4}- \{ id: people.*\n/, '').replace('group:people/platform, ', ''),
    })),
  )
  expect((await scene.okta.call('GET', '/Users')).status).toBe(401)
  expect(await whoami(scene, browser)).toBe(401)
  expect(await endOf(scene, grant)).toMatchObject({ reason: 'policy-changed' })
})

test('nothing of a token or a person stands in the log in clear', async () => {
  const scene = await createScimWorld()
  await atWork(scene)
  const bodies = await inStore(
    scene.world.store,
    `select convert_from(body, 'UTF8') as body from audit_entry where type like 'directory.%'`,
  )
  expect(bodies.filter(({ body }) => String(body).includes('erin'))).toEqual([])
  expect((await everythingIn(scene.world.store)).includes(scene.token)).toBe(false)
})

test('who is pushed with the address of someone that was deleted is someone else, unless the source calls them the same', async () => {
  const scene = await createScimWorld()
  const idIn = async () =>
    (await inStore(scene.world.store, 'select id from directory_user order by id')).map(({ id }) => id)
  const push = (externalId: string): Promise<string> => pushUser(scene.okta, 'erin', { externalId })
  const first = await push('00u1')
  const [id] = await idIn()
  await scene.okta.must('DELETE', `/Users/${first}`)
  const second = await push('00u2')
  expect(await idIn()).toEqual([`${String(id)}+2`])
  await scene.okta.must('DELETE', `/Users/${second}`)
  await push('00u1')
  expect(await idIn()).toEqual([id])
})
