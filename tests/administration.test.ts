/** Tidegate has no standing power of its own that it does not tell of: who administers, by what, and until when. */

import { expect, test } from 'vitest'
import type { Client } from '@tidegate/api'
import { hours, minutes } from '@tidegate/core'
import { assumed, opened } from './support/access.ts'
import { entriesOf } from './support/story.ts'
import type { Parts, World } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles } from './support/tidegate.ts'

const administrationPolicies = `
@id("audit-at-once") @max_duration("2h")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/auditor");

@id("policy-at-once") @max_duration("2h")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/policy-author");

@id("owning-takes-an-owner") @approvers("owner") @max_duration("1h")
permit (principal in Group::"engineers", action == Action::"access", resource == Role::"tidegate/owner");
`

const filesOf = (parts: Parts): World['files'] => [
  ...defaultFiles(parts),
  { path: 'administration.cedar', text: administrationPolicies },
]

const newWorld = (): Promise<World> => createWorldForTest({ files: filesOf })

const powers = async (client: Client): Promise<string[]> =>
  (await client.whoami({})).administration.map(({ role, by }) => `${role} by ${by}`)

const refused = { code: 'forbidden' }

test('a role of Tidegate is held for as long as its grant is in use, and not a moment before or after', async () => {
  const { as, clock } = await newWorld()
  const alice = as('alice')
  const request = await alice.createRequest({ role: 'tidegate/auditor', duration: '1h', reason: 'Quarterly audit' })
  await expect(alice.listEntries({})).rejects.toMatchObject(refused)
  const grant = await alice.assumeGrant({ id: request.grant ?? '' })
  expect(grant).toMatchObject({ state: 'active', role: 'tidegate/auditor' })
  expect(await alice.whoami({})).toMatchObject({
    administrator: false,
    policyAuthor: false,
    auditor: true,
    administration: [{ role: 'tidegate/auditor', by: 'grant', grant: grant.id, until: grant.expiresAt }],
  })
  await alice.listEntries({})
  clock.set(Date.parse(grant.expiresAt ?? '') - 1)
  await alice.listEntries({})
  clock.advance(1)
  await expect(alice.listEntries({})).rejects.toMatchObject(refused)
  expect(await powers(alice)).toEqual([])
})

test.each([
  ['is done', ({ as }: World, id: string) => as('alice').endGrant({ id })],
  ['is revoked by an owner', ({ as }: World, id: string) => as('dora').revokeGrant({ id, reason: 'Enough' })],
])('a role of Tidegate is gone the moment that its grant %s', async (_, end) => {
  const world = await newWorld()
  const alice = world.as('alice')
  const { id } = await assumed(alice, { role: 'tidegate/auditor' })
  await alice.listEntries({})
  await end(world, id)
  await expect(alice.listEntries({})).rejects.toMatchObject(refused)
  await world.server.drain()
  expect(await alice.getGrant({ id })).toMatchObject({ state: 'ended' })
})

test('and gone with the policy that gave it', async () => {
  const world = await newWorld()
  const alice = world.as('alice')
  const { id } = await assumed(alice, { role: 'tidegate/auditor' })
  await world.admin.applyConfig({ files: world.files.filter(({ path }) => path !== 'administration.cedar') })
  await expect(alice.listEntries({})).rejects.toMatchObject(refused)
  await world.server.drain()
  expect(await alice.getGrant({ id })).toMatchObject({ state: 'ended', end: { reason: 'policy-changed' } })
})

test('an owner is approved by another owner, never by themselves, and is one afterwards', async () => {
  const { as } = await newWorld()
  const [alice, bob, dora] = [as('alice'), as('bob'), as('dora')]
  const request = await alice.createRequest({ role: 'tidegate/owner', duration: '30m', reason: 'OPS-4' })
  expect(request).toMatchObject({ status: 'pending', waitingFor: ['owner'] })
  await expect(alice.approveRequest({ id: request.id })).rejects.toMatchObject({ code: 'own-request' })
  await expect(bob.approveRequest({ id: request.id })).rejects.toMatchObject({ code: 'not-an-approver' })
  const { grant } = await dora.approveRequest({ id: request.id })
  await alice.assumeGrant({ id: grant ?? '' })
  expect(await powers(alice)).toEqual(['tidegate/owner by grant'])
  await alice.createGateway({ id: 'amsterdam' })
})

test('who owns Tidegate for an hour approves nobody else as an owner: that takes one whom configuration names', async () => {
  const { as } = await newWorld()
  const [alice, bob, dora] = [as('alice'), as('bob'), as('dora')]
  const mine = await alice.createRequest({ role: 'tidegate/owner', duration: '30m', reason: 'OPS-4' })
  const { grant } = await dora.approveRequest({ id: mine.id })
  await alice.assumeGrant({ id: grant ?? '' })
  const theirs = await bob.createRequest({ role: 'tidegate/owner', duration: '30m', reason: 'OPS-5' })
  await expect(alice.approveRequest({ id: theirs.id })).rejects.toMatchObject({ code: 'not-an-approver' })
})

test('each role does what is its own and nothing beside it', async () => {
  const world = await newWorld()
  const [auditor, author] = [world.as('alice'), world.as('carol')]
  await assumed(auditor, { role: 'tidegate/auditor' })
  await assumed(author, { role: 'tidegate/policy-author' })
  const { grant } = await opened(world.as('bob'))
  expect((await auditor.listGrants({})).items.map(({ id }) => id)).toContain(grant.id)
  expect((await author.listGrants({})).items.map(({ id }) => id)).not.toContain(grant.id)
  await expect(auditor.revokeGrant({ id: grant.id, reason: 'No' })).rejects.toMatchObject(refused)
  await expect(author.revokeGrant({ id: grant.id, reason: 'No' })).rejects.toMatchObject({ code: 'not-found' })
  await expect(auditor.planConfig({ files: world.files })).rejects.toMatchObject(refused)
  await expect(author.listEntries({})).rejects.toMatchObject(refused)
  expect(await author.planConfig({ files: world.files })).toMatchObject({ items: [] })
  expect((await auditor.listChanges({})).items.length).toBe((await author.listChanges({})).items.length)
})

test('its roles have no login: they are assumed, and what is on a target is not', async () => {
  const { as } = await newWorld()
  const [audit, read] = await Promise.all([
    as('alice').createRequest({ role: 'tidegate/auditor', duration: '1h', reason: 'Audit' }),
    as('alice').createRequest({ role: 'orders-db/readonly', duration: '1h', reason: 'Look' }),
  ])
  const wrong = { code: 'invalid-input' }
  await expect(as('alice').activateGrant({ id: audit.grant ?? '' })).rejects.toMatchObject(wrong)
  await expect(as('alice').assumeGrant({ id: read.grant ?? '' })).rejects.toMatchObject(wrong)
  await expect(as('bob').assumeGrant({ id: audit.grant ?? '' })).rejects.toMatchObject({ code: 'not-found' })
  const access = await as('bob').openAccess({ role: 'tidegate/auditor', duration: '1h', reason: 'Audit' })
  expect(access).toMatchObject({ grant: { state: 'active' } })
  expect(access.credential).toBeUndefined()
  expect(await powers(as('bob'))).toEqual(['tidegate/auditor by grant'])
})

test('assuming it once more changes nothing, and it is extended like any other', async () => {
  const { as, clock } = await newWorld()
  const alice = as('alice')
  const grant = await assumed(alice, { role: 'tidegate/auditor' })
  clock.advance(minutes(10))
  expect(await alice.assumeGrant({ id: grant.id })).toEqual(grant)
  const { grant: longer } = await alice.extendGrant({ id: grant.id, duration: '1h', reason: 'More to read' })
  clock.set(Date.parse(grant.expiresAt ?? ''))
  await alice.listEntries({})
  clock.set(Date.parse(longer.expiresAt ?? ''))
  await expect(alice.listEntries({})).rejects.toMatchObject(refused)
})

test('what is held by a grant is in the log like every grant, and using it is no use of standing power', async () => {
  const { as } = await newWorld()
  const alice = as('alice')
  const { id } = await assumed(alice, { role: 'tidegate/auditor' })
  await alice.listFindings({})
  const types = (await entriesOf(alice, { grant: id })).map(({ type }) => type)
  expect(types).toEqual(['request.approved', 'grant.created', 'grant.opening', 'grant.opened'])
  expect((await alice.listEntries({ type: 'administration.standing-used' })).items).toEqual([])
})

test('standing power is told of: each change by an entry, and that it was used by a finding that its holder cannot close', async () => {
  const { as } = await newWorld()
  const [dora, alice] = [as('dora'), as('alice')]
  await assumed(alice, { role: 'tidegate/auditor' })
  await dora.createGateway({ id: 'amsterdam' })
  await dora.removeGateway({ id: 'amsterdam' })
  await dora.listFindings({})
  const entries = (await alice.listEntries({ type: 'administration.standing-used' })).items
  expect(entries.map(({ entry }) => entry)).toMatchObject([
    { role: 'owner', operation: 'removeGateway', method: 'token' },
    { role: 'owner', operation: 'createGateway', method: 'token' },
  ])
  const [found, ...others] = (await alice.listFindings({ kind: 'standing-power-used' })).items
  expect(others).toEqual([])
  expect(found).toMatchObject({ subject: 'user:dora', severity: 'medium' })
  const closing = { id: found?.id ?? '', note: 'It was me' }
  await expect(dora.closeFinding(closing)).rejects.toMatchObject(refused)
  await expect(alice.closeFinding(closing)).rejects.toMatchObject(refused)
})

test('revoking as an owner of Tidegate is a use of standing power, and revoking as the owner of the resource is none', async () => {
  const { as, admin } = await newWorld()
  const [one, two] = [await opened(as('alice')), await opened(as('bob'))]
  await as('dora').revokeGrant({ id: one.grant.id, reason: 'Enough' })
  const standing = { type: 'administration.standing-used' }
  expect((await admin.listEntries(standing)).items).toEqual([])
  await admin.revokeGrant({ id: two.grant.id, reason: 'Enough' })
  expect((await admin.listEntries(standing)).items).toMatchObject([{ entry: { operation: 'revokeGrant' } }])
  const { id } = await assumed(as('alice'), { role: 'tidegate/auditor' })
  await admin.revokeGrant({ id, reason: 'Enough' })
  expect((await admin.listEntries(standing)).items).toHaveLength(2)
})

test('several servers agree on who administers', async () => {
  const world = await newWorld()
  const other = await world.startAnother()
  const { id } = await assumed(world.as('alice'), { role: 'tidegate/auditor' })
  await world.at(other, 'alice').listEntries({})
  await world.at(other, 'alice').endGrant({ id })
  await expect(world.as('alice').listEntries({})).rejects.toMatchObject(refused)
})

test('configuration declares no resource of that name', async () => {
  const { admin, files, as } = await newWorld()
  const own = files.map(({ path, text }) => ({ path, text: text.replaceAll('orders-db', 'tidegate') }))
  await expect(admin.planConfig({ files: own })).rejects.toMatchObject({
    code: 'invalid-input',
    details: { problems: [{ message: expect.stringContaining('The name tidegate is taken') }] },
  })
  expect((await as('alice').getResource({ id: 'tidegate' })).roles.map(({ role }) => role)).toEqual([
    'tidegate/owner',
    'tidegate/policy-author',
    'tidegate/auditor',
  ])
})

test('a grant of it that is waited for lapses like any other', async () => {
  const { as, clock, server } = await newWorld()
  const { grant = '' } = await as('alice').createRequest({ role: 'tidegate/auditor', duration: '1h', reason: 'Audit' })
  clock.advance(hours(25))
  await expect(as('alice').assumeGrant({ id: grant })).rejects.toMatchObject({ code: 'grant-lapsed' })
  await server.drain()
  expect(await as('alice').getGrant({ id: grant })).toMatchObject({ state: 'ended', end: { reason: 'lapsed' } })
})

const more = (text: string): World['files'] => [{ path: 'more.cedar', text }]

const forMe = `@id("me") permit (principal == User::"alice", action == Action::"access", resource == Role::"tidegate/owner");`

const inAdmins = (files: World['files']): World['files'] =>
  files.map(({ path, text }) => ({
    path,
    text: text.replace('id: tidegate-admins, members: [dora]', 'id: tidegate-admins, members: [dora, alice]'),
  }))

test('a policy author alone changes what others may do on targets', async () => {
  const { as, files } = await newWorld()
  await assumed(as('alice'), { role: 'tidegate/policy-author' })
  const writing = `@id("mine") permit (principal == User::"bob", action == Action::"access", resource == Role::"orders-db/writer");`
  expect(await as('alice').applyConfig({ files: [...files, ...more(writing)] })).toMatchObject({ status: 'applied' })
})

test.each([
  ['a policy that gives a role of Tidegate', (files: World['files']) => [...files, ...more(forMe)]],
  ['a member of a group', inAdmins],
  [
    'a policy that forbids less',
    (files: World['files']) =>
      files.map((file) => ({ ...file, text: file.text.replace('has device &&', 'has risk && context has device &&') })),
  ],
  [
    'who is told of emergencies',
    (files: World['files']) => [
      ...files,
      {
        path: 'webhooks.yaml',
        text: `webhooks: [{ id: mine, url: 'https://hooks.example.com', secrets: ['env:ANY'] }]`,
      },
    ],
  ],
])('a policy author who changes %s waits for an owner, and no other author is enough', async (_, changed) => {
  const { as, files } = await newWorld()
  const [alice, carol, dora] = [as('alice'), as('carol'), as('dora')]
  for (const author of [alice, carol]) await assumed(author, { role: 'tidegate/policy-author' })
  expect(await alice.planConfig({ files: changed(files) })).toMatchObject({ needsSecondPerson: true })
  const change = await alice.applyConfig({ files: changed(files) })
  expect(change).toMatchObject({ status: 'pending' })
  await expect(alice.approveChange({ id: change.id })).rejects.toMatchObject({ code: 'second-person-needed' })
  await expect(carol.approveChange({ id: change.id })).rejects.toMatchObject(refused)
  expect((await alice.whoami({})).administrator).toBe(false)
  expect(await dora.approveChange({ id: change.id })).toMatchObject({ status: 'applied' })
})
