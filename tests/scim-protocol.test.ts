/** SCIM as the RFC writes it, as Okta sends it, as Entra ID sends it, and as nobody should. */

import pg from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { problemOf, send } from './support/http.ts'
import type { Pusher } from './support/scim.ts'
import {
  createPusher,
  createScimWorld,
  groupSchema,
  patchOf,
  pushGroup,
  pushUser,
  userOf,
  userSchema,
} from './support/scim.ts'
import { entriesOf, inStore, stateOf } from './support/story.ts'
import { makeToken } from './support/tidegate.ts'

vi.setConfig({ testTimeout: 120_000 })

const enterprise = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'

const idsOf = async (pusher: Pusher, path: string): Promise<unknown[]> =>
  ((await pusher.must('GET', path))['Resources'] as { id: string }[]).map(({ id }) => id)

const membersOf = async (pusher: Pusher, group: string): Promise<unknown[]> =>
  (((await pusher.must('GET', `/Groups/${group}`))['members'] ?? []) as { value: string }[]).map(({ value }) => value)

const refusalOf = async (pusher: Pusher, method: string, path: string, body?: unknown): Promise<unknown[]> => {
  const answer = await pusher.call(method, path, { body })
  expect(answer.type).toBe('application/scim+json; charset=utf-8')
  expect(answer.body['schemas']).toEqual(['urn:ietf:params:scim:api:messages:2.0:Error'])
  expect(answer.body['status']).toBe(String(answer.status))
  return [answer.status, answer.body['scimType']]
}

test('what this server can do, what there is and what of it is told, by the tables that the rest is made of', async () => {
  const { okta, world } = await createScimWorld()
  expect(await okta.must('GET', '/ServiceProviderConfig')).toMatchObject({
    patch: { supported: true },
    bulk: { supported: false },
    filter: { supported: true, maxResults: 200 },
    etag: { supported: true },
    meta: { location: `${world.server.url}/scim/v2/ServiceProviderConfig` },
  })
  expect(await okta.must('GET', '/ResourceTypes')).toMatchObject({ totalResults: 2 })
  expect(await okta.must('GET', '/ResourceTypes/User')).toMatchObject({
    endpoint: '/Users',
    schemaExtensions: [{ schema: enterprise, required: false }],
  })
  expect(await idsOf(okta, '/Schemas')).toEqual([userSchema, enterprise, groupSchema])
  const { attributes } = (await okta.must('GET', `/Schemas/${userSchema}`)) as { attributes: { name: string }[] }
  expect(attributes.map(({ name }) => name)).toEqual(['userName', 'name', 'displayName', 'active', 'emails'])
  expect((await okta.call('GET', '/Me')).status).toBe(501)
  expect((await okta.call('POST', '/Bulk', { body: {} })).status).toBe(501)
  expect(await refusalOf(okta, 'GET', '/Nothing')).toEqual([404, undefined])
})

test('Okta: looks, creates, sends all anew, pushes groups, takes out', async () => {
  const { okta } = await createScimWorld()
  const looked = await okta.must('GET', `/Users?filter=userName%20eq%20%22erin%40example.com%22&startIndex=1&count=100`)
  expect(looked).toMatchObject({ totalResults: 0, Resources: [] })
  const created = await okta.call('POST', '/Users', {
    body: {
      schemas: [userSchema],
      userName: 'erin@example.com',
      name: { givenName: 'Erin', familyName: 'Berg' },
      emails: [{ primary: true, value: 'erin@example.com', type: 'work' }],
      displayName: 'Erin Berg',
      locale: 'en-US',
      externalId: '00ujl29u0le5T6Aj10h7',
      groups: [],
      password: '1mz050nq',
      active: true,
    },
  })
  const { id } = created.body as { id: string }
  expect([created.status, created.headers['location'], created.headers['etag']]).toEqual([
    201,
    expect.stringMatching(new RegExp(`/scim/v2/Users/${id}$`)),
    'W/"1"',
  ])
  expect(created.body).not.toHaveProperty('password')
  const changed = await okta.must('PUT', `/Users/${id}`, {
    ...created.body,
    name: { givenName: 'Erin', familyName: 'Berg-Holm' },
    displayName: 'Erin Berg-Holm',
    groups: [],
  })
  expect(changed).toMatchObject({ displayName: 'Erin Berg-Holm', active: true, meta: { version: 'W/"2"' } })
  const group = await okta.must('POST', '/Groups', { schemas: [groupSchema], displayName: 'Test SCIMv2', members: [] })
  await okta.must(
    'PATCH',
    `/Groups/${String(group['id'])}`,
    patchOf({ op: 'replace', value: { id: group['id'], displayName: 'Test SCIMv2 anew' } }),
  )
  const add = { op: 'add', path: 'members', value: [{ value: id, display: 'erin@example.com' }] }
  await okta.must('PATCH', `/Groups/${String(group['id'])}`, patchOf(add))
  expect(await membersOf(okta, String(group['id']))).toEqual([id])
  expect(await okta.must('GET', '/Groups?startIndex=1&count=100')).toMatchObject({
    totalResults: 1,
    Resources: [
      { displayName: 'Test SCIMv2 anew', members: [{ value: id, type: 'User', display: 'erin@example.com' }] },
    ],
  })
  await okta.must(
    'PATCH',
    `/Groups/${String(group['id'])}`,
    patchOf({ op: 'remove', path: `members[value eq "${id}"]` }),
  )
  expect(await membersOf(okta, String(group['id']))).toEqual([])
  expect(await okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: false } }))).toMatchObject({
    active: false,
    displayName: 'Erin Berg-Holm',
  })
  expect(await okta.must('PATCH', `/Users/${id}`, patchOf({ op: 'replace', value: { active: true } }))).toMatchObject({
    active: true,
  })
})

test('Entra ID: tests the connection, creates, patches in its own words, takes out, and deletes', async () => {
  const { okta: entra, world } = await createScimWorld()
  const unknown = encodeURIComponent('userName eq "7a4ff1a1-3bbb-4d57-8f5f-3a1ef2a9a2ab"')
  expect(await entra.must('GET', `/Users?filter=${unknown}`)).toMatchObject({ totalResults: 0, itemsPerPage: 0 })
  const manager = await pushUser(entra, 'boss')
  const created = await entra.must('POST', '/Users', {
    schemas: [userSchema, enterprise],
    externalId: '0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef',
    userName: 'Test_User_ab6490ee@example.com',
    active: true,
    emails: [{ primary: true, type: 'work', value: 'Test_User_fd0ea19b@example.com' }],
    meta: { resourceType: 'User' },
    name: { formatted: 'givenName familyName', familyName: 'familyName', givenName: 'givenName' },
    roles: [],
    [enterprise]: { department: 'Sales' },
  })
  const id = String(created['id'])
  const patched = await entra.must(
    'PATCH',
    `/Users/${id}`,
    patchOf(
      { op: 'Replace', path: 'emails[type eq "work"].value', value: 'updatedEmail@example.com' },
      { op: 'Replace', path: 'name.familyName', value: 'updatedFamilyName' },
      { op: 'Add', path: 'emails[type eq "home"].value', value: 'home@elsewhere.example' },
      { op: 'Add', path: 'phoneNumbers[type eq "work"].value', value: '+1 555 0100' },
      { op: 'Add', path: `${enterprise}:manager`, value: manager },
      {
        op: 'Replace',
        value: { displayName: 'Bjfe', 'name.givenName': 'Anew', [`${enterprise}:department`]: 'Legal' },
      },
    ),
  )
  expect(patched).toMatchObject({
    emails: [
      { primary: true, type: 'work', value: 'updatedEmail@example.com' },
      { type: 'home', value: 'home@elsewhere.example' },
    ],
    name: { formatted: 'givenName familyName', familyName: 'updatedFamilyName', givenName: 'Anew' },
    displayName: 'Bjfe',
    [enterprise]: { manager: { value: manager } },
    schemas: [userSchema, enterprise],
  })
  const userId = 'test_user_ab6490ee@example.com'
  expect(
    await inStore(world.store, `select id, name, manager, active from directory_user where id = '${userId}'`),
  ).toEqual([{ id: userId, name: 'Bjfe', manager: 'boss@example.com', active: true }])
  const group = await pushGroup(entra, 'displayName')
  const looking = encodeURIComponent('displayName eq "displayname"')
  const found = await entra.must('GET', `/Groups?excludedAttributes=members&filter=${looking}`)
  expect((found['Resources'] as object[])[0]).not.toHaveProperty('members')
  await entra.must(
    'PATCH',
    `/Groups/${group}`,
    patchOf({ op: 'Add', path: 'members', value: [{ $ref: null, value: id }] }),
  )
  const inGroup = encodeURIComponent(`id eq "${group}" and members eq "${id}"`)
  expect(await idsOf(entra, `/Groups?filter=${inGroup}`)).toEqual([group])
  await entra.must(
    'PATCH',
    `/Groups/${group}`,
    patchOf({ op: 'Remove', path: 'members', value: [{ $ref: null, value: id }] }),
  )
  expect(await membersOf(entra, group)).toEqual([])
  const disabled = await entra.must('PATCH', `/Users/${id}`, patchOf({ op: 'Replace', path: 'active', value: 'False' }))
  expect(disabled['active']).toBe(false)
  expect((await entra.call('DELETE', `/Users/${id}`)).status).toBe(204)
  expect(await refusalOf(entra, 'GET', `/Users/${id}`)).toEqual([404, undefined])
  expect(await refusalOf(entra, 'DELETE', `/Users/${id}`)).toEqual([404, undefined])
})

test('a list comes in pages that together are all, each once, and says how many there are', async () => {
  const { okta } = await createScimWorld()
  const all: string[] = []
  for (let i = 0; i < 7; i++) all.push(await pushUser(okta, `p${i}`))
  const pages = await Promise.all([1, 4, 7, 10].map((from) => okta.must('GET', `/Users?startIndex=${from}&count=3`)))
  expect(pages.map(({ totalResults, startIndex, itemsPerPage }) => [totalResults, startIndex, itemsPerPage])).toEqual([
    [7, 1, 3],
    [7, 4, 3],
    [7, 7, 1],
    [7, 10, 0],
  ])
  expect(pages.flatMap(({ Resources }) => (Resources as { id: string }[]).map(({ id }) => id))).toEqual(all.toSorted())
  expect(await okta.must('GET', '/Users?count=0')).toMatchObject({ totalResults: 7, Resources: [] })
  expect(await okta.must('GET', '/Users?startIndex=-3&count=100000')).toMatchObject({ startIndex: 1, itemsPerPage: 7 })
  expect(await refusalOf(okta, 'GET', '/Users?count=many')).toEqual([400, 'invalidValue'])
  const wanted = (await okta.must('GET', '/Users?attributes=userName,name.givenName&count=1'))['Resources'] as object[]
  expect(Object.keys(wanted[0] ?? {}).toSorted()).toEqual(['id', 'schemas', 'userName'])
  const without = (await okta.must('GET', '/Users?excludedAttributes=emails,id&count=1'))['Resources'] as object[]
  expect(Object.keys(without[0] ?? {}).toSorted()).toEqual([
    'active',
    'displayName',
    'externalId',
    'id',
    'meta',
    'schemas',
    'userName',
  ])
})

test('who has read an older version changes nothing, and who has the newest reads nothing', async () => {
  const { okta } = await createScimWorld()
  const id = await pushUser(okta, 'erin')
  const path = `/Users/${id}`
  const rename = (name: string, version: string) =>
    okta.call('PATCH', path, {
      body: patchOf({ op: 'replace', path: 'displayName', value: name }),
      headers: { 'if-match': version },
    })
  expect((await rename('one', 'W/"1"')).status).toBe(200)
  expect((await rename('two', 'W/"1"')).status).toBe(412)
  expect((await rename('two', 'W/"7", W/"2"')).status).toBe(200)
  expect((await okta.call('GET', path, { headers: { 'if-none-match': 'W/"3"' } })).status).toBe(304)
  expect((await okta.call('DELETE', path, { headers: { 'if-match': 'W/"2"' } })).status).toBe(412)
  expect((await okta.call('DELETE', path, { headers: { 'if-match': '*' } })).status).toBe(204)
})

test('the same again changes nothing: no version, no entry, no row', async () => {
  const scene = await createScimWorld()
  const { okta, world } = scene
  const id = await pushUser(okta, 'erin')
  const group = await pushGroup(okta, 'platform', [id])
  const before = await stateOf(world.store)
  await okta.must('PUT', `/Users/${id}`, userOf('erin'))
  await okta.must(
    'PATCH',
    `/Users/${id}`,
    patchOf({ op: 'add', path: 'emails', value: { value: 'erin@example.com', type: 'work' } }),
  )
  await okta.must(
    'PATCH',
    `/Groups/${group}`,
    patchOf({ op: 'add', path: 'members', value: [{ value: id }, { value: id }] }),
  )
  await okta.must('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: 'members[value eq "nobody"]' }))
  await okta.must('PUT', `/Groups/${group}`, { displayName: 'platform', members: [{ value: id }] })
  expect(await stateOf(world.store)).toEqual(before)
})

test('a group changes by hundreds at once, with an entry for each', async () => {
  const { okta, world } = await createScimWorld()
  const ids: string[] = []
  const names = Array.from({ length: 200 }, (_, i) => `p${i}`)
  for (let from = 0; from < names.length; from += 20)
    ids.push(...(await Promise.all(names.slice(from, from + 20).map((name) => pushUser(okta, name)))))
  const group = await pushGroup(okta, 'platform')
  const members = ids.map((value) => ({ value }))
  await okta.must('PATCH', `/Groups/${group}`, patchOf({ op: 'add', path: 'members', value: members }))
  expect((await membersOf(okta, group)).length).toBe(200)
  const some = ids.slice(0, 3).map((id) => `value eq "${id}"`)
  await okta.must('PATCH', `/Groups/${group}`, patchOf({ op: 'remove', path: `members[${some.join(' or ')}]` }))
  await okta.must(
    'PATCH',
    `/Groups/${group}`,
    patchOf({ op: 'replace', path: 'members', value: members.slice(0, 100) }),
  )
  expect((await membersOf(okta, group)).length).toBe(100)
  const moves = (await entriesOf(world.admin)).filter(({ type }) => type === 'directory.groups-changed')
  expect(moves.length).toBe(200 + 3 + 100 + 3)
})

const refused: readonly [what: string, method: string, path: string, body: unknown, refusal: unknown[]][] = [
  ['a userName that there is', 'POST', '/Users', userOf('ERIN', { externalId: 'x' }), [409, 'uniqueness']],
  ['an externalId that there is', 'POST', '/Users', userOf('frank', { externalId: 'erin' }), [409, 'uniqueness']],
  ['nobody', 'POST', '/Users', {}, [400, 'invalidValue']],
  ['a list', 'POST', '/Users', [], [400, 'invalidSyntax']],
  ['text', 'POST', '/Users', '"erin"', [400, 'invalidSyntax']],
  ['nothing', 'POST', '/Users', undefined, [400, 'invalidSyntax']],
  ['half an object', 'POST', '/Users', '{"userName":', [400, undefined]],
  ['a prototype', 'POST', '/Users', '{"__proto__":{"active":true},"userName":"x@example.com"}', [400, undefined]],
  ['a constructor', 'POST', '/Users', '{"constructor":{"prototype":{}},"userName":"x@example.com"}', [400, undefined]],
  [
    'someone of another domain',
    'POST',
    '/Users',
    userOf('x', { userName: 'x@evil.example', emails: [] }),
    [400, 'invalidValue'],
  ],
  ['a name that is a number', 'POST', '/Users', userOf('x', { displayName: 7 }), [400, 'invalidValue']],
  ['a name with a zero in it', 'POST', '/Users', userOf('x', { displayName: 'a\0b' }), [400, 'invalidValue']],
  ['a name without end', 'POST', '/Users', userOf('x', { displayName: 'x'.repeat(501) }), [400, 'invalidValue']],
  ['perhaps active', 'POST', '/Users', userOf('x', { active: 'perhaps' }), [400, 'invalidValue']],
  [
    'fifty-one addresses',
    'POST',
    '/Users',
    userOf('x', { emails: Array.from({ length: 51 }, (_, i) => `${i}@example.com`) }),
    [400, 'invalidValue'],
  ],
  ['a group without a name', 'POST', '/Groups', { members: [] }, [400, 'invalidValue']],
  ['a group of a name that there is', 'POST', '/Groups', { displayName: 'platform' }, [409, 'uniqueness']],
  ['a group with a line break in its name', 'POST', '/Groups', { displayName: 'a\nb' }, [400, 'invalidValue']],
  [
    'a group with a stranger in it',
    'POST',
    '/Groups',
    { displayName: 'x', members: [{ value: 'stranger' }] },
    [400, 'invalidValue'],
  ],
  [
    'a group with too many in it',
    'POST',
    '/Groups',
    { displayName: 'x', members: Array.from({ length: 20_001 }, String) },
    [400, 'tooMany'],
  ],
  ['nothing to do', 'PATCH', '/Users/ID', {}, [400, 'invalidSyntax']],
  ['what nobody does', 'PATCH', '/Users/ID', patchOf({ op: 'move', path: 'userName' }), [400, 'invalidSyntax']],
  ['a remove of everything', 'PATCH', '/Users/ID', patchOf({ op: 'remove' }), [400, 'noTarget']],
  ['the userName away', 'PATCH', '/Users/ID', patchOf({ op: 'remove', path: 'userName' }), [400, 'invalidValue']],
  ['another id', 'PATCH', '/Users/ID', patchOf({ op: 'replace', path: 'id', value: 'x' }), [400, 'mutability']],
  [
    'a path that is none',
    'PATCH',
    '/Users/ID',
    patchOf({ op: 'replace', path: 'emails[', value: 'x' }),
    [400, 'invalidPath'],
  ],
  [
    'a path ten thousand long',
    'PATCH',
    '/Users/ID',
    patchOf({ op: 'remove', path: `emails[${'value pr or '.repeat(10_000)}value pr]` }),
    [400, 'invalidPath'],
  ],
  [
    'values of what has one',
    'PATCH',
    '/Users/ID',
    patchOf({ op: 'replace', path: 'userName[value eq "x"]', value: 'x' }),
    [400, 'invalidPath'],
  ],
  [
    'five hundred and one operations',
    'PATCH',
    '/Users/ID',
    patchOf(...Array.from({ length: 501 }, () => ({ op: 'add', path: 'displayName', value: 'x' }))),
    [400, 'tooMany'],
  ],
  ['a filter that is none', 'GET', '/Users?filter=userName', undefined, [400, 'invalidFilter']],
  ['two filters', 'GET', '/Users?filter=userName%20pr&filter=userName%20pr', undefined, [400, 'invalidFilter']],
  [
    'a filter of three hundred comparisons',
    'GET',
    `/Users?filter=${encodeURIComponent(`${'userName pr or '.repeat(300)}userName pr`)}`,
    undefined,
    [400, 'invalidFilter'],
  ],
  [
    'somebody who is not there',
    'PATCH',
    '/Users/nobody',
    patchOf({ op: 'replace', value: { active: false } }),
    [404, undefined],
  ],
  ['a group that is not there', 'PUT', '/Groups/nobody', { displayName: 'x' }, [404, undefined]],
]

test('what cannot be is refused in SCIM’s own words, and nothing is changed', async () => {
  const { okta, world } = await createScimWorld()
  const id = await pushUser(okta, 'erin')
  await pushGroup(okta, 'platform', [id])
  const before = await stateOf(world.store)
  for (const [what, method, path, body, refusal] of refused)
    expect([what, ...(await refusalOf(okta, method, path.replace('ID', id), body))]).toEqual([what, ...refusal])
  expect(await stateOf(world.store)).toEqual(before)
})

test('what is nested a hundred thousand deep, or larger than a body may be, is refused or let by, and the server goes on', async () => {
  const { okta } = await createScimWorld()
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const body = `{"userName":"erin@example.com","deep":${deep},"name":{"givenName":{"a":${deep}}}}`
  expect((await okta.call('POST', '/Users', { body })).status).toBe(400)
  const patched = `{"Operations":[{"op":"replace","value":{"displayName":${deep}}}]}`
  const id = await pushUser(okta, 'erin')
  expect((await okta.call('PATCH', `/Users/${id}`, { body: patched })).status).toBe(400)
  const large = JSON.stringify(userOf('x', { displayName: 'x'.repeat(5 * 1024 * 1024) }))
  expect((await okta.call('POST', '/Users', { body: large }).catch(() => ({ status: 413 }))).status).toBe(413)
  expect(await okta.must('GET', '/Users')).toMatchObject({ totalResults: 1 })
})

test('a source sees and changes nothing of another, and a group of one holds nobody of another', async () => {
  const { okta, other, world } = await createScimWorld()
  const id = await pushUser(okta, 'erin')
  const group = await pushGroup(okta, 'platform', [id])
  expect(await other.must('GET', '/Users')).toMatchObject({ totalResults: 0 })
  const before = await stateOf(world.store)
  for (const path of [`/Users/${id}`, `/Groups/${group}`]) {
    expect(await refusalOf(other, 'GET', path)).toEqual([404, undefined])
    expect(await refusalOf(other, 'PUT', path, { ...userOf('erin'), displayName: 'x' })).toEqual([404, undefined])
    expect(await refusalOf(other, 'PATCH', path, patchOf({ op: 'replace', value: { active: false } }))).toEqual([
      404,
      undefined,
    ])
    expect(await refusalOf(other, 'DELETE', path)).toEqual([404, undefined])
  }
  expect(await refusalOf(other, 'POST', '/Groups', { displayName: 'theirs', members: [{ value: id }] })).toEqual([
    400,
    'invalidValue',
  ])
  expect(await refusalOf(other, 'POST', '/Users', userOf('erin'))).toEqual([409, 'uniqueness'])
  expect(await stateOf(world.store)).toEqual(before)
})

test('only the token of a source is taken, only there, and only until its end', async () => {
  const scene = await createScimWorld()
  const { world, token } = scene
  const { url } = world.server
  const statuses = async (presented: string | undefined): Promise<number[]> => {
    const answers = await Promise.all([
      createPusher(url, presented).call('GET', '/Users'),
      createPusher(url, presented).call('POST', '/Users', { body: userOf('x') }),
      createPusher(url, presented).call('GET', '/ServiceProviderConfig'),
    ])
    return answers.map(({ status }) => status)
  }
  for (const wrong of [
    undefined,
    '',
    makeToken().token,
    token.slice(0, -1),
    `${token}x`,
    world.tokenOf('dora'),
    world.server.firstToken,
  ])
    expect(await statuses(wrong)).toEqual([401, 401, 401])
  const elsewhere = await send(url, { path: '/v1/me', token })
  expect([elsewhere.status, problemOf(elsewhere).code]).toEqual([401, 'unauthenticated'])
  const next = makeToken()
  const also = (hash: string) =>
    scene.apply((files) =>
      files.map((file) => ({
        ...file,
        text: file.text.replace(
          'id: people, provider: okta, tokens: [',
          `id: people, provider: okta, tokens: [{ hash: '${hash}', expires: '2099-01-02T00:00:00Z' }, `,
        ),
      })),
    )
  await also(next.hash)
  expect([(await statuses(token))[0], (await statuses(next.token))[0]]).toEqual([200, 200])
  world.clock.set(Date.parse('2099-01-01T00:00:00Z'))
  expect([(await statuses(token))[0], (await statuses(next.token))[0]]).toEqual([401, 200])
})

test('who keeps coming without a token is told to wait', async () => {
  const { world } = await createScimWorld()
  const stranger = createPusher(world.server.url, makeToken().token)
  const answers = await Promise.all(Array.from({ length: 80 }, () => stranger.call('GET', '/Users')))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401, 429]))
})

test('nobody is put into a group who is being removed at that moment, because their id may be another’s afterwards', async () => {
  const { okta, world } = await createScimWorld()
  const id = await pushUser(okta, 'erin')
  const group = await pushGroup(okta, 'platform')
  const removing = new pg.Client({ connectionString: world.store.url, options: '-c search_path=tidegate' })
  await removing.connect()
  onTestFinished(() => removing.end())
  await removing.query('begin')
  await removing.query('delete from scim_user where id = $1', [id])
  const adding = okta.call('PATCH', `/Groups/${group}`, { body: patchOf({ op: 'add', path: 'members', value: id }) })
  const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await expect.poll(async () => (await inStore(world.store, waits)).length).toBe(1)
  await removing.query('commit')
  expect((await adding).status).toBe(400)
  expect(await inStore(world.store, 'select member from directory_membership')).toEqual([])
})

test('of two who create the same person at once one does, and the other is told', async () => {
  const { okta } = await createScimWorld()
  const answers = await Promise.all([1, 2, 3, 4].map(() => okta.call('POST', '/Users', { body: userOf('erin') })))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409])
})
