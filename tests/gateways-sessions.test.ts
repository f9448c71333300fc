/** Sessions as gateways report them: told once, seen by whom they concern, and ended one by one. */

import { randomBytes } from 'node:crypto'
import { connectorKinds } from '@tidegate/connectors'
import type { Instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { createConfigurations } from '../packages/server/src/configuration/configurations.ts'
import { gatewayServerLimits } from '../packages/server/src/gateways/limits.ts'
import { findPrincipals } from '../packages/server/src/identity/principals.ts'
import { housekeeping } from '../packages/server/src/reconciler/housekeeping.ts'
import { opened } from './support/access.ts'
import { chain, createGatewayWorld, databaseOf, joined, newSession, reportsOf } from './support/gateways.ts'
import type { Gateway, Report } from './support/gateways.ts'
import { entriesOf, entryTypesOf, inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'

type Scene = {
  readonly world: World
  readonly gateway: Gateway
  readonly grant: string
  readonly session: string
  readonly reports: ReturnType<typeof reportsOf>
  readonly report: (...reports: Report[]) => Promise<number[]>
}

/** Alice has a grant; nothing is reported yet. `report` answers with the places of what was refused. */
async function createScene(): Promise<Scene> {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const session = newSession()
  const report = async (...reports: Report[]): Promise<number[]> =>
    (await gateway.client.reportSessions({ reports })).refused.map(({ index }) => index)
  return { world, gateway, grant: grant.id, session, reports: reportsOf(world, { session, grant: grant.id }), report }
}

const sessionEntries = async ({ world, grant }: Scene) =>
  (await entriesOf(world.admin, { grant })).filter(({ type }) => type.startsWith('session.'))

test('a session is told from its beginning to its end, and the entries say what the recording must have', async () => {
  const scene = await createScene()
  const { world, reports, session, grant, report } = scene
  expect(await report(reports.opened())).toEqual([])
  expect(await world.as('alice').getSession({ id: session })).toEqual({
    id: session,
    grant,
    principal: 'user:alice',
    role: 'orders-db/readonly',
    gateway: 'gw-1',
    database: 'orders',
    client: { address: '203.0.113.9', port: 50_123, tls: true, application: 'psql' },
    startedAt: new Date(world.clock.now()).toISOString(),
  })
  world.clock.advance(5_000)
  const head = reports.recorded(3)
  expect(await report(head, reports.ended())).toEqual([])
  const view = await world.as('alice').getSession({ id: session })
  expect(view).toMatchObject({
    endedAt: new Date(world.clock.now()).toISOString(),
    endReason: 'the client went away',
    statements: 7,
    refused: 1,
    head: { segment: 0, blocks: 3 },
  })
  expect(view.lost).toBeUndefined()
  const entries = await sessionEntries(scene)
  expect(entries.map(({ type }) => type)).toEqual(['session.opened', 'session.recorded', 'session.ended'])
  expect(entries[2]?.entry).toMatchObject({
    session,
    statements: 7,
    refused: 1,
    used: { tables: { 'shop.orders': ['SELECT'] } },
  })
  expect(entries[2]?.entry['head']).toEqual(entries[1]?.entry['head'])
  expect(entries[0]?.disclosed).toEqual({
    '/principal': 'user:alice',
    '/clientAddress': '203.0.113.9',
    '/application': 'psql',
  })
  expect(JSON.stringify(entries.map(({ entry }) => entry))).not.toMatch(/alice|203\.0|psql|went away/)
})

test('what is reported again, in one batch, in several, or at the same moment, is counted once', async () => {
  const scene = await createScene()
  const { reports, report } = scene
  const all = [reports.opened(), reports.recorded(1), reports.recorded(2), reports.ended()]
  expect(await report(...all, ...all)).toEqual([])
  expect(await Promise.all([report(...all), report(...all), report(...all)])).toEqual([[], [], []])
  expect((await sessionEntries(scene)).map(({ type }) => type)).toEqual([
    'session.opened',
    'session.recorded',
    'session.recorded',
    'session.ended',
  ])
})

test('two batches of the same beginnings at the same moment are one', async () => {
  const scene = await createScene()
  const { world, report, grant } = scene
  const many = Array.from({ length: 20 }, () => reportsOf(world, { session: newSession(), grant }).opened())
  await Promise.all([report(...many), report(...many.toReversed()), report(...many)])
  expect(await sessionEntries(scene)).toHaveLength(20)
})

test('what does not belong is refused by its place, and the rest of the batch stands', async () => {
  const scene = await createScene()
  const { world, reports, report, session } = scene
  const stranger = reportsOf(world, { session: newSession(), grant: 'grt_nothing' })
  const never = reportsOf(world, { session: newSession(), grant: scene.grant })
  expect(
    await report(stranger.opened(), reports.opened(), never.recorded(1), never.ended(), reports.recorded(1)),
  ).toEqual([0, 2, 3])
  const other = await joined(world, { id: 'gw-2' })
  const { refused } = await other.client.reportSessions({
    reports: [reports.opened(), reports.recorded(2), reports.ended()],
  })
  expect(refused.map(({ index }) => index)).toEqual([0, 1, 2])
  expect((await world.as('alice').getSession({ id: session })).endedAt).toBeUndefined()
  expect((await sessionEntries(scene)).map(({ type }) => type)).toEqual(['session.opened', 'session.recorded'])
})

test('a gateway reports no session of a grant that it does not lead to, or that was never open', async () => {
  const scene = await createScene()
  const { world, gateway, report } = scene
  const waiting = await world.as('alice').createRequest({ role: 'orders-db/readonly', duration: '1h', reason: 'Later' })
  const early = reportsOf(world, { session: newSession(), grant: waiting.grant as string })
  expect(await report(early.opened())).toEqual([0])
  await inStore(world.store, `update gateway set resources = '{other-db}' where id = $1`, [gateway.id])
  expect(await report(scene.reports.opened())).toEqual([0])
})

test('a recording that differs from what was said of it is refused, and one that has come less far is known already', async () => {
  const scene = await createScene()
  const { reports, report } = scene
  const [honest, forged] = [chain(), chain()]
  expect(await report(reports.opened(), reports.recorded(5, honest), reports.recorded(5, honest))).toEqual([])
  expect(await report(reports.recorded(5, forged))).toEqual([0])
  expect(await report(reports.recorded(2, forged))).toEqual([])
  expect(await report(reports.ended(), reports.recorded(9))).toEqual([1])
  expect(await sessionEntries(scene)).toHaveLength(3)
})

test('times that a gateway gives are neither after they are told nor before what they follow', async () => {
  const scene = await createScene()
  const { world, reports, report, session } = scene
  const now = world.clock.now()
  await report(reports.opened({ at: '2199-01-01T00:00:00Z' }), reports.ended({ at: '0000-01-01T00:00:00Z' }))
  const view = await world.as('alice').getSession({ id: session })
  expect([view.startedAt, view.endedAt].map((at) => Date.parse(at as string))).toEqual([now, now])
})

test('whatever a client calls itself, its session is in the log, on one short line', async () => {
  const scene = await createScene()
  const { world, reports, report, session } = scene
  const client = {
    address: '203.0.113.9',
    port: 1,
    tls: false,
    application: `a\u0000b\u001b[2J\nc\ud800${'😀'.repeat(100)}`,
  }
  expect(
    await report(reports.opened({ client }), reports.ended({ used: { tables: { 'x\u0000': ['y'] }, left: 0 } })),
  ).toEqual([])
  expect((await world.as('alice').getSession({ id: session })).client.application).toBe(
    `a\ufffdb\ufffd[2J\ufffdc\ufffd${'😀'.repeat(27)}`,
  )
})

test('what an entry has no room for stays with the session, and is counted', async () => {
  const scene = await createScene()
  const { world, reports, report } = scene
  const tables = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, n) => [`shop.${'t'.repeat(200)}${n}`, ['SELECT']]),
  )
  await report(reports.opened(), reports.ended({ used: { tables, left: 3 } }))
  const used = (await sessionEntries(scene)).at(-1)?.entry['used'] as { tables: object; left: number }
  expect(Object.keys(used.tables).length).toBeGreaterThan(10)
  expect(Object.keys(used.tables).length + used.left).toBe(1_003)
  const [row] = await inStore(
    world.store,
    `select count(*)::int as n from access_session, jsonb_object_keys(used->'tables')`,
  )
  expect(row).toEqual({ n: 1_000 })
})

test('sessions are seen by their holder, by owners of the resource, by auditors, and by nobody else', async () => {
  const { world, reports, report, session, grant } = await createScene()
  await report(reports.opened())
  const seen = async (who: string): Promise<[number, boolean]> => {
    const { items } = await world.as(who).listSessions({})
    const one = await world
      .as(who)
      .getSession({ id: session })
      .catch((error: { code: string }) => error.code)
    return [items.length, one !== 'not-found']
  }
  for (const who of ['alice', 'bob', 'dora', 'sam']) expect([who, await seen(who)]).toEqual([who, [1, true]])
  for (const who of ['carol', 'ci', 'device-manager']) expect([who, await seen(who)]).toEqual([who, [0, false]])
  const list = (input: object) => world.as('sam').listSessions(input)
  expect((await list({ grant, open: 'true', principal: 'user:alice', resource: 'orders-db' })).items).toHaveLength(1)
  for (const other of [{ grant: 'grt_none' }, { open: 'false' }, { principal: 'user:bob' }, { resource: 'none' }])
    expect((await list(other)).items).toEqual([])
})

test('lists are in pages, newest first', async () => {
  const { world, report, grant } = await createScene()
  const ids = Array.from({ length: 5 }, newSession)
  await report(...ids.map((session) => reportsOf(world, { session, grant }).opened()))
  const first = await world.as('sam').listSessions({ limit: 3 })
  const second = await world.as('sam').listSessions({ limit: 3, cursor: first.next })
  expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids.toReversed())
  expect(second.next).toBeUndefined()
})

test('an owner has a session ended: its gateway is told until it says so, and its grant goes on', async () => {
  const scene = await createScene()
  const { world, gateway, reports, report, session, grant } = scene
  await report(reports.opened())
  const other = await joined(world, { id: 'gw-2' })
  const { cursor } = await gateway.client.syncGateway({ waitMs: 0 })
  const next = gateway.client.syncGateway({ cursor, waitMs: 20_000 })
  await world.as('bob').killSession({ id: session, reason: 'It holds a lock' })
  const kill = [{ session, reason: 'the session was ended by user:bob: It holds a lock' }]
  const told = await next
  expect(told).toMatchObject({ kill, grants: [], ended: [] })
  expect((await gateway.client.syncGateway({ cursor: told.cursor, waitMs: 10 })).kill).toEqual(kill)
  expect((await gateway.client.syncGateway({ waitMs: 0 })).kill).toEqual(kill)
  expect((await other.client.syncGateway({ waitMs: 0 })).kill).toEqual([])

  await world.as('bob').killSession({ id: session })
  await report(reports.ended({ reason: 'it was killed' }))
  await world.as('bob').killSession({ id: session })
  const after = await (await world.startAnother().then((server) => gateway.at(server.url))).syncGateway({ waitMs: 0 })
  expect(after.kill).toEqual([])
  expect((await world.as('alice').getGrant({ id: grant })).state).toBe('active')
  const entries = await sessionEntries(scene)
  expect(entries.map(({ type }) => type)).toEqual(['session.opened', 'session.killed', 'session.ended'])
  expect(entries[1]?.disclosed).toMatchObject({ '/by': 'user:bob', '/note': 'It holds a lock' })
})

test('a session is ended by its holder, by owners and administrators, and not by an auditor or a stranger', async () => {
  const { world, report, grant } = await createScene()
  const kill = async (who: string): Promise<string> => {
    const session = newSession()
    await report(reportsOf(world, { session, grant }).opened())
    return world
      .as(who)
      .killSession({ id: session })
      .then(
        () => 'done',
        (error: { code: string }) => error.code,
      )
  }
  const outcomes: Record<string, string> = {}
  for (const who of ['alice', 'bob', 'dora', 'sam', 'carol', 'ci']) outcomes[who] = await kill(who)
  expect(outcomes).toEqual({
    alice: 'done',
    bob: 'done',
    dora: 'done',
    sam: 'forbidden',
    carol: 'not-found',
    ci: 'not-found',
  })
})

test('sessions of a gateway that is put out are lost, and one that says later how they ended is believed', async () => {
  const scene = await createScene()
  const { world, gateway, reports, report, session } = scene
  await report(reports.opened(), reports.recorded(1))
  await world.admin.removeGateway({ id: gateway.id })
  expect(await world.as('alice').getSession({ id: session })).toMatchObject({
    lost: true,
    endReason: 'the gateway was put out; how the session ended is not known',
  })
  const again = await joined(world)
  const { refused } = await again.client.reportSessions({ reports: [reports.recorded(2), reports.ended()] })
  expect(refused).toEqual([])
  const view = await world.as('alice').getSession({ id: session })
  expect(view).toMatchObject({ endReason: 'the client went away', statements: 7, head: { blocks: 2 } })
  expect(view.lost).toBeUndefined()
  const entries = await sessionEntries(scene)
  expect(entries.filter(({ type }) => type === 'session.ended').map(({ entry }) => entry['lost'])).toEqual([
    true,
    undefined,
  ])
})

test('a session whose end nobody tells is lost some minutes after its grant is over, and not before', async () => {
  const { world, reports, report, session, grant } = await createScene()
  await report(reports.opened())
  await world.as('alice').endGrant({ id: grant })
  await world.server.drain()
  const db = databaseOf(world)
  const runtime = { now: () => world.clock.now() as Instant, random: randomBytes }
  const tidy = () => housekeeping({ db, runtime, configurations: createConfigurations(connectorKinds), findPrincipals })
  world.clock.advance(gatewayServerLimits.tellEndWithin)
  await tidy()
  expect((await world.as('alice').getSession({ id: session })).endedAt).toBeUndefined()
  world.clock.advance(1)
  await tidy()
  expect(await world.as('alice').getSession({ id: session })).toMatchObject({
    lost: true,
    endReason: 'its grant is over, and its gateway has not said how the session ended',
  })
})

test('every entry of a session has its place in the log of its grant', async () => {
  const { world, reports, report, grant } = await createScene()
  await report(reports.opened(), reports.recorded(1), reports.ended())
  await world.server.drain()
  expect((await entriesOf(world.admin, { grant })).every(({ index }) => index !== undefined)).toBe(true)
  expect((await world.as('alice').getReceipt({ id: grant })).proof).toContain('tlog-proof')
  expect(await entryTypesOf(world.admin, { grant })).toContain('session.ended')
})
