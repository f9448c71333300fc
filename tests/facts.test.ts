/** Facts from outside, as they change: the same question is asked again, and access follows the answer. */

import { expect, onTestFinished, test } from 'vitest'
import type { Millis } from '@tidegate/core'
import { logIn, loginsOn, onTarget, opened, permitted } from './support/access.ts'
import { applyEdited, edited, withFile } from './support/edit.ts'
import { entriesOf, entryTypesOf } from './support/story.ts'
import { createTarget } from './support/target.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest, defaultFiles, resourceYaml } from './support/tidegate.ts'

type Device = {
  readonly compliant: boolean
  readonly subject?: string
  readonly observedAt?: string
  readonly validFor?: string
}

const device = (world: World, { compliant, subject = 'user:alice', ...when }: Device) =>
  world.as('device-manager').putSignal({ name: 'device', subject, value: { compliant, managed: true }, ...when })

const ticket = (world: World, open: boolean, id = 'OPS-17') =>
  world.as('device-manager').putSignal({ name: 'ticket', subject: `ticket:${id}`, value: { open } })

const iso = (at: number): string => new Date(at).toISOString()

test('a device that stops being compliant cuts the session, and a compliant one does not', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'))
  const others = await opened(world.as('bob'))
  const [hers, his] = [await logIn(credential), await logIn(others.credential)]
  expect(await device(world, { compliant: true })).toMatchObject({ grantsAskedAgain: 1, grantsEnded: 0 })
  expect(await device(world, { compliant: false })).toMatchObject({ grantsAskedAgain: 1, grantsEnded: 1 })
  await world.server.drain()
  await hers.cut
  const { end } = await world.as('alice').getGrant({ id: grant.id })
  expect(end).toMatchObject({
    reason: 'fact-changed',
    note: 'Your device is reported as not compliant. Fix it, or use another.',
  })
  expect((await his.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  const ending = (await entriesOf(world.admin, { grant: grant.id })).find(({ type }) => type === 'grant.ending')
  expect(ending?.entry).toMatchObject({ reason: 'fact-changed', decision: expect.stringMatching(/^dec_/) })
})

test('a grant that is not in use is not lost over a bad device, and is refused for as long as it is bad', async () => {
  const world = await createWorldForTest()
  const id = await permitted(world.as('alice'))
  await device(world, { compliant: false })
  expect((await world.as('alice').getGrant({ id })).state).toBe('ready')
  await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({ code: 'policy-refuses' })
  world.clock.advance(1_000)
  await device(world, { compliant: true })
  expect((await world.as('alice').activateGrant({ id })).grant.state).toBe('active')
})

test('a signal about a person counts for the agent that acts for them', async () => {
  const world = await createWorldForTest({
    files: (parts) => {
      const token = `{ hash: '${parts.hashOf('helper')}', expires: '2099-01-01T00:00:00Z' }`
      const agents = { path: 'agents.yaml', text: `agents: [{ id: helper, user: alice, tokens: [${token}] }]` }
      return [
        ...edited(defaultFiles(parts), 'people.yaml', ['carol, service:ci]', 'carol, service:ci, agent:helper]']),
        agents,
      ]
    },
  })
  const { grant } = await opened(world.as('helper'))
  expect(await device(world, { compliant: false })).toMatchObject({ grantsEnded: 1 })
  expect((await world.as('helper').getGrant({ id: grant.id })).end?.reason).toBe('fact-changed')
})

test('a signal that has become stale counts as missing, from its very instant', async () => {
  const world = await createWorldForTest()
  const { staleAt } = await ticket(world, true)
  const alice = world.as('alice')
  const wish = { role: 'orders-db/maintainer', duration: '30m', ticket: 'OPS-17' }
  world.clock.set(Date.parse(staleAt) - 1)
  expect((await alice.ask(wish)).outcome).toBe('approve')
  world.clock.advance(1)
  expect(await alice.ask(wish)).toMatchObject({ outcome: 'deny' })
})

test('a source may let its word count for less time than usual, and never for more', async () => {
  const world = await createWorldForTest()
  const now = world.clock.now()
  expect((await device(world, { compliant: true, validFor: '5m' })).staleAt).toBe(iso(now + 300_000))
  expect((await device(world, { compliant: true, validFor: '30d' })).staleAt).toBe(iso(now + 3_600_000))
})

test('an older observation that arrives late does not take the place of a newer one', async () => {
  const world = await createWorldForTest()
  const now = world.clock.now()
  await device(world, { compliant: false, observedAt: iso(now - 60_000) })
  await device(world, { compliant: true, observedAt: iso(now - 120_000) })
  await expect(world.as('alice').ask({ role: 'orders-db/readonly', duration: '30m' })).resolves.toMatchObject({
    outcome: 'deny',
    cause: 'forbidden',
    signals: [{ name: 'device', source: 'service:device-manager', ageMillis: 60_000, fresh: true }],
  })
  await device(world, { compliant: true, observedAt: iso(now - 30_000) })
  expect((await world.as('alice').ask({ role: 'orders-db/readonly', duration: '30m' })).outcome).toBe('permit')
})

test('an open ticket opens the way to the admin role, and closing it ends the session and no other', async () => {
  const world = await createWorldForTest()
  const alice = world.as('alice')
  const wish = { role: 'orders-db/maintainer', duration: '30m', ticket: 'OPS-17' }
  const refused = await alice.ask(wish)
  expect(refused).toMatchObject({ outcome: 'deny', remedies: [{ changes: [{ fact: 'ticket' }], outcome: 'approve' }] })
  await ticket(world, true)
  await ticket(world, true, 'OPS-18')
  const { id, status } = await alice.createRequest({ ...wish, reason: 'Repair order 7' })
  expect(status).toBe('pending')
  await world.as('dora').approveRequest({ id })
  const approved = await world.as('bob').approveRequest({ id })
  const { grant, credential } = await alice.activateGrant({ id: approved.grant as string })
  const session = await logIn(credential)
  const reader = await opened(alice)
  expect(await ticket(world, false, 'OPS-18')).toMatchObject({ grantsAskedAgain: 0 })
  expect(await ticket(world, false)).toMatchObject({ grantsAskedAgain: 1, grantsEnded: 1 })
  await world.server.drain()
  await session.cut
  expect((await alice.getGrant({ id: grant.id })).end?.reason).toBe('fact-changed')
  expect((await alice.getGrant({ id: reader.grant.id })).state).toBe('active')
})

test('a ticket that nobody vouches for any more ends the session, since the question is asked again without any signal', async () => {
  const world = await createWorldForTest({ background: true, reaskEvery: 50 as Millis })
  const alice = world.as('alice')
  await ticket(world, true)
  const { id } = await alice.createRequest({
    role: 'orders-db/maintainer',
    duration: '1h',
    reason: 'Repair',
    ticket: 'OPS-17',
  })
  await world.as('dora').approveRequest({ id })
  const approved = await world.as('bob').approveRequest({ id })
  world.clock.advance(23.5 * 3_600_000)
  const { grant, credential } = await alice.activateGrant({ id: approved.grant as string })
  const session = await logIn(credential)
  world.clock.advance(30 * 60_000)
  await session.cut
  expect((await alice.getGrant({ id: grant.id })).end?.reason).toBe('fact-changed')
})

test('a mover loses with the group what the group gave, in the middle of the session', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  const ready = await permitted(world.as('alice'))
  const plan = edited(world.files, 'people.yaml', [
    'members: [alice, bob, carol, service:ci]',
    'members: [bob, carol, service:ci]',
  ])
  await world.admin.applyConfig({ files: plan })
  await world.server.drain()
  await session.cut
  expect((await world.as('alice').getGrant({ id: grant.id })).end?.reason).toBe('policy-changed')
  await expect(world.as('alice').activateGrant({ id: ready })).rejects.toMatchObject({ code: 'policy-refuses' })
})

test('a grant that policy shortens lets nobody in for longer, even if no server is left to end it', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'), { duration: '2h' })
  const session = await logIn(credential)
  const lowered = ['@id("engineers-read") @max_duration("8h")', '@id("engineers-read") @max_duration("30m")'] as const
  await applyEdited(world, 'access.cedar', lowered)
  await world.server.drain()
  const { expiresAt, activatedAt } = await world.as('alice').getGrant({ id: grant.id })
  expect(Date.parse(expiresAt ?? '') - Date.parse(activatedAt ?? '')).toBe(30 * 60_000)
  const [login] = await onTarget(world.target, 'select rolvaliduntil from pg_roles where rolname = $1', [
    credential.user,
  ])
  expect(login?.['rolvaliduntil']).toEqual(new Date(expiresAt as string))
  expect(await entryTypesOf(world.admin, { grant: grant.id })).toContain('login.shortened')
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('a server whose clock is behind that of the one that opened a grant does not end it for that', async () => {
  const world = await createWorldForTest()
  const { grant } = await opened(world.as('alice'))
  world.clock.set(Date.parse(grant.activatedAt as string) - 20)
  expect(await device(world, { compliant: true })).toMatchObject({ grantsAskedAgain: 1, grantsEnded: 0 })
  expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('active')
})

test('a login whose end someone put off on the target is put right', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'))
  await onTarget(world.target, `alter role "${credential.user}" valid until 'infinity'`)
  world.clock.advance(300_000)
  await world.server.drain()
  const [login] = await onTarget(world.target, 'select rolvaliduntil from pg_roles where rolname = $1', [
    credential.user,
  ])
  expect(login?.['rolvaliduntil']).toEqual(new Date(grant.expiresAt as string))
})

test('who is removed altogether loses what they held, their token and what they had not used yet', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('bob'))
  const session = await logIn(credential)
  const ready = await permitted(world.as('bob'))
  const files = world.files.map(({ path, text }) => ({
    path,
    text: text.replace(/ {2}- \{ id: bob,.*\n/, '').replaceAll(/, bob\b|\bbob, /g, ''),
  }))
  await world.admin.applyConfig({ files })
  await world.server.drain()
  await session.cut
  await expect(world.as('bob').whoami({})).rejects.toMatchObject({ code: 'unauthenticated' })
  for (const id of [grant.id, ready]) expect((await world.admin.getGrant({ id })).state).toBe('ended')
})

test('a resource that is removed has its grants closed on the target it had', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  await world.admin.applyConfig({ files: world.files.filter(({ path }) => path !== 'orders-db.yaml') })
  await world.server.drain()
  await session.cut
  expect(await loginsOn(world.target)).toEqual([])
  expect(await world.admin.getGrant({ id: grant.id })).toMatchObject({
    state: 'ended',
    end: { reason: 'resource-changed' },
  })
})

test('a resource that moves has its grants closed on the old target, and opens the next on the new one', async () => {
  const elsewhere = await createTarget()
  onTestFinished(() => elsewhere.drop())
  const world = await createWorldForTest({ env: { ELSEWHERE_PASSWORD: elsewhere.admin.password } })
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  const moved = resourceYaml(elsewhere).replace('env:ORDERS_DB_ADMIN_PASSWORD', 'env:ELSEWHERE_PASSWORD')
  const plan = await world.admin.planConfig({ files: withFile(world.files, 'orders-db.yaml', moved) })
  expect(plan.effects).toEqual([expect.stringContaining(`ends ${grant.id}`)])
  await world.admin.applyConfig({ files: withFile(world.files, 'orders-db.yaml', moved) })
  await world.server.drain()
  await session.cut
  expect(await loginsOn(world.target)).toEqual([])
  expect((await world.as('alice').getGrant({ id: grant.id })).end?.reason).toBe('resource-changed')
  const next = await opened(world.as('alice'))
  expect(next.credential.databases).toEqual([elsewhere.database])
  expect(await loginsOn(elsewhere)).toEqual([next.credential.user])
})

test('a role that is removed ends its grants, and takes its privileges from the target', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  await applyEdited(world, 'orders-db.yaml', [
    '      - name: readonly\n        risk: low\n',
    '      - name: reader\n        risk: low\n',
  ])
  await world.server.drain()
  await session.cut
  expect((await world.as('alice').getGrant({ id: grant.id })).end?.reason).toBe('policy-changed')
  // The group role is dropped by the first sweep that finds nobody in it.
  world.clock.advance(world.settings.sweepEvery)
  await world.server.drain()
  const groups = await onTarget(
    world.target,
    `select rolname from pg_roles where rolname like '%' || $1 || '\\_readonly'`,
    [world.target.database.slice(-10)],
  )
  expect(groups).toEqual([])
})

test('a pending request is approved by policy as soon as policy asks nobody any more', async () => {
  const world = await createWorldForTest()
  const request = await world
    .as('alice')
    .createRequest({ role: 'orders-db/writer', duration: '1h', reason: 'Fix order 7' })
  expect(request.status).toBe('pending')
  await applyEdited(world, 'access.cedar', ['@approvers("team-leads") ', ''])
  const { status, grant } = await world.as('alice').getRequest({ id: request.id })
  expect(status).toBe('approved')
  expect((await world.as('alice').activateGrant({ id: grant as string })).grant.state).toBe('active')
  expect(await entryTypesOf(world.admin, { request: request.id })).toContain('request.approved')
})
