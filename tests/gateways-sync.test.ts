/** What gateways are told of grants, through whichever server, and what happens when a server does not know. */

import { instant } from '@tidegate/core'
import { expect, onTestFinished, test } from 'vitest'
import { connectorKinds } from '@tidegate/connectors'
import { createLogger } from '@tidegate/server'
import { createConfigurations } from '../packages/server/src/configuration/configurations.ts'
import type { Told } from '../packages/server/src/gateways/feed-memory.ts'
import { createFeed } from '../packages/server/src/gateways/feed.ts'
import { listenForHints } from '../packages/server/src/store/hints.ts'
import { opened } from './support/access.ts'
import { clusterOf } from './support/databases.ts'
import { applyEdited, edited } from './support/edit.ts'
import { createGatewayWorld, databaseOf, joined } from './support/gateways.ts'
import type { News } from './support/gateways.ts'
import type { Proxy } from './support/proxy.ts'
import { startProxyForTest } from './support/proxy.ts'
import { inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { defaultFiles } from './support/tidegate.ts'

const idsOf = ({ grants }: News): string[] => grants.map(({ grant }) => grant)
const wait = 20_000

const never = 86_400_000

/** One that no server has: it knows only what it is told. */
function feedAlone(world: World, { storeAt, lookEveryMs = never }: { storeAt?: Proxy; lookEveryMs?: number } = {}) {
  const db = databaseOf(world, storeAt)
  const configurations = createConfigurations(connectorKinds)
  const now = () => instant(Date.now())
  return { db, feed: createFeed({ db, configurations, name: 'alone', now, lookEveryMs, believedForMs: never }) }
}

type Followable = Awaited<ReturnType<typeof followable>>

/** A gateway that has been told all there is, two grants, by a feed that nothing tells of anything. */
async function followable() {
  const proxy = await startProxyForTest(clusterOf('store'))
  const world = await createGatewayWorld()
  await joined(world)
  const grants = [await opened(world.as('alice')), await opened(world.as('bob'))]
  const { feed } = feedAlone(world, { storeAt: proxy })
  onTestFinished(() => feed.stop())
  const gateway = await theGateway(world)
  const { cursor } = await feed.sync({ gateway, cursor: undefined, waitMs: 0 })
  return { world, proxy, feed, gateway, cursor, ids: grants.map(({ grant }) => grant.id) }
}

async function theGateway({ store }: World) {
  const [{ at } = {}] = await inStore(store, 'select extract(epoch from enrolled_at) * 1000 as at from gateway')
  return { id: 'gw-1', enrolledAt: Number(at) as never }
}

test('first everything there is, then what changes, as soon as it does', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const first = await opened(world.as('alice'))
  const all = await client.syncGateway({ waitMs: wait })
  expect(all).toMatchObject({ whole: true, ended: [], kill: [], now: new Date(world.clock.now()).toISOString() })
  expect(idsOf(all)).toEqual([first.grant.id])

  const next = client.syncGateway({ cursor: all.cursor, waitMs: wait })
  const second = await opened(world.as('bob'))
  const told = await next
  expect(told).toMatchObject({ whole: false, ended: [] })
  expect(idsOf(told)).toEqual([second.grant.id])

  const over = client.syncGateway({ cursor: told.cursor, waitMs: wait })
  await world.as('dora').revokeGrant({ id: first.grant.id, reason: 'Enough' })
  const end = await over
  expect(end).toMatchObject({ whole: false, grants: [] })
  expect(end.ended).toEqual([{ grant: first.grant.id, reason: 'access was revoked by user:dora' }])
  expect(await client.syncGateway({ cursor: end.cursor, waitMs: 0 })).toMatchObject({ grants: [], ended: [] })
})

test('with nothing to tell the answer is empty at the end of the wait, and the cursor stays good', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const { cursor } = await client.syncGateway({ waitMs: wait })
  const quiet = await client.syncGateway({ cursor, waitMs: 20 })
  expect(quiet).toMatchObject({ cursor, whole: false, grants: [], ended: [], kill: [] })
})

test.each([
  ['its holder is done', 'its holder said that it is done', (world, id) => world.as('alice').endGrant({ id })],
  [
    'its task is over',
    'the task it was for has ended',
    (world, id) => world.as('alice').endGrant({ id, because: 'task-ended' }),
  ],
  [
    'its time is up',
    "the grant's time is up",
    async (world, id) => {
      world.clock.set(Date.parse((await world.as('alice').getGrant({ id })).expiresAt as string))
      await world.server.drain()
    },
  ],
  [
    'a fact changes',
    'a fact changed, and policy no longer gives this access',
    (world) =>
      world.as('device-manager').putSignal({
        name: 'device',
        subject: 'user:alice',
        value: { compliant: false, managed: true },
      }),
  ],
  [
    'policy changes',
    'policy changed, and no longer gives this access',
    (world) => applyEdited(world, 'access.cedar', ['resource.risk == "low"', 'resource.risk == "admin"']),
  ],
] as [string, string, (world: World, id: string) => Promise<unknown>][])(
  'when %s, the gateway is told so in words',
  async (_what, reason, act) => {
    const world = await createGatewayWorld()
    const { client } = await joined(world)
    const { grant } = await opened(world.as('alice'), { duration: '5m' })
    const { cursor } = await client.syncGateway({ waitMs: 0 })
    const next = client.syncGateway({ cursor, waitMs: wait })
    await act(world, grant.id)
    expect((await next).ended).toEqual([{ grant: grant.id, reason }])
  },
)

test('a grant that is extended is told with its new end, and how long before it to warn stands in the settings', async () => {
  const world = await createGatewayWorld({
    files: (parts) =>
      edited(defaultFiles(parts), 'people.yaml', ['auditors: security', 'auditors: security, warnBefore: 5m']),
  })
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'), { duration: '30m' })
  const { cursor, grants } = await gateway.client.syncGateway({ waitMs: 0 })
  expect(grants).toMatchObject([{ grant: grant.id, expiresAt: grant.expiresAt, warnBeforeSeconds: 300 }])
  const told = gateway.client.syncGateway({ cursor, waitMs: 20_000 })
  const { grant: longer } = await world
    .as('alice')
    .extendGrant({ id: grant.id, duration: '1h', reason: 'Not done with order 7' })
  expect((await told).grants).toMatchObject([{ grant: grant.id, expiresAt: longer.expiresAt, warnBeforeSeconds: 300 }])
})

test('a grant that policy makes shorter is told with its new end', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const { grant } = await opened(world.as('alice'), { duration: '2h' })
  const { cursor } = await client.syncGateway({ waitMs: 0 })
  const next = client.syncGateway({ cursor, waitMs: wait })
  await applyEdited(world, 'access.cedar', ['@max_duration("8h")', '@max_duration("30m")'])
  const told = await next
  expect(told.ended).toEqual([])
  const expiresAt = new Date(Date.parse(grant.activatedAt as string) + 30 * 60_000).toISOString()
  expect(told.grants).toMatchObject([{ grant: grant.id, expiresAt }])
})

test('what happened several times is told as it is now, whatever of it was told before', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  let { cursor } = await client.syncGateway({ waitMs: 0 })
  const stays = await opened(world.as('alice'))
  await world.as('alice').activateGrant({ id: stays.grant.id })
  const goes = await opened(world.as('alice'))
  await world.as('alice').endGrant({ id: goes.grant.id })
  const live = new Set<string>()
  // The feed may have read the second one before it ended: then its end follows.
  do {
    const told = await client.syncGateway({ cursor, waitMs: wait })
    for (const { grant } of told.grants) live.add(grant)
    for (const { grant } of told.ended) live.delete(grant)
    cursor = told.cursor
  } while (live.has(goes.grant.id) || live.size === 0)
  expect([...live]).toEqual([stays.grant.id])
})

test('a gateway for other resources is told nothing of these', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world, { resources: ['orders-db'] })
  await inStore(world.store, `update gateway set resources = '{other-db}'`)
  await joined(world, { id: 'gw-2' })
  const { grant } = await opened(world.as('alice'))
  const all = await client.syncGateway({ waitMs: 0 })
  expect(all.grants).toEqual([])
  await world.as('alice').endGrant({ id: grant.id })
  expect(await client.syncGateway({ cursor: all.cursor, waitMs: 0 })).toMatchObject({ grants: [], ended: [] })
  await expect(client.releaseLogin({ id: grant.id })).rejects.toMatchObject({ code: 'not-found' })
})

test('a change through one server reaches a gateway that waits at another, although nothing tells that one', async () => {
  // In the background nothing runs: what the second server hears, it has found by looking.
  const world = await createGatewayWorld()
  const other = await world.startAnother()
  const gateway = await joined(world)
  const there = await gateway.at(other.url)
  const { cursor } = await there.syncGateway({ waitMs: 0 })
  const next = there.syncGateway({ cursor, waitMs: wait })
  const { grant } = await opened(world.as('alice'))
  const told = await next
  expect(idsOf(told)).toEqual([grant.id])
  const over = there.syncGateway({ cursor: told.cursor, waitMs: wait })
  await world.as('dora').revokeGrant({ id: grant.id, reason: 'Enough' })
  expect((await over).ended).toEqual([{ grant: grant.id, reason: 'access was revoked by user:dora' }])
})

test('a cursor of another server is answered with everything', async () => {
  const world = await createGatewayWorld()
  const other = await world.startAnother()
  const gateway = await joined(world)
  const there = await gateway.at(other.url)
  const { grant } = await opened(world.as('alice'))
  const { cursor } = await gateway.client.syncGateway({ waitMs: 0 })
  const told = await there.syncGateway({ cursor, waitMs: wait })
  expect(told).toMatchObject({ whole: true, ended: [] })
  expect(idsOf(told)).toEqual([grant.id])
  expect((await there.syncGateway({ cursor: `${told.cursor}9`, waitMs: wait })).whole).toBe(true)
})

test('what one server commits wakes the feed of another by its notification alone', async () => {
  const world = await createGatewayWorld()
  await joined(world)
  const { feed } = feedAlone(world)
  let listening: () => void
  const heard = new Promise<void>((resolve) => void (listening = resolve))
  const hints = listenForHints({
    keys: [],
    url: world.store.url,
    log: createLogger('silent'),
    heard: (hint) => (hint?.to === 'gateways' ? feed.tell(hint.about) : listening()),
  })
  onTestFinished(async () => {
    feed.stop()
    await hints.stop()
  })
  await heard
  const gateway = await theGateway(world)
  const { cursor } = await feed.sync({ gateway, cursor: undefined, waitMs: 0 })
  const next = feed.sync({ gateway, cursor, waitMs: wait })
  const { grant } = await opened(world.as('alice'))
  const told = await next
  expect(told.grants.map((one) => one.grant)).toEqual([grant.id])
  const over = feed.sync({ gateway, cursor: told.cursor, waitMs: wait })
  await world.as('alice').endGrant({ id: grant.id })
  expect((await over).ended).toMatchObject([{ grant: grant.id }])
})

test('an end is told by the server that commits it without its reading the store again', async () => {
  const world = await createGatewayWorld()
  await joined(world)
  const { grant } = await opened(world.as('alice'))
  const { db, feed } = feedAlone(world)
  onTestFinished(() => feed.stop())
  const gateway = await theGateway(world)
  const { cursor } = await feed.sync({ gateway, cursor: undefined, waitMs: 0 })
  const next = feed.sync({ gateway, cursor, waitMs: wait })
  await db.destroy()
  feed.tell(grant.id, 'access was revoked')
  expect((await next).ended).toEqual([{ grant: grant.id, reason: 'access was revoked' }])
})

test('what ends in one turn of the loop is told in one answer', async () => {
  const world = await createGatewayWorld()
  await joined(world)
  const [one, other] = [await opened(world.as('alice')), await opened(world.as('bob'))]
  const { feed } = feedAlone(world)
  onTestFinished(() => feed.stop())
  const gateway = await theGateway(world)
  const { cursor } = await feed.sync({ gateway, cursor: undefined, waitMs: 0 })
  const next = feed.sync({ gateway, cursor, waitMs: wait })
  // It waits from the end of this turn on.
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  feed.tell(one.grant.id, 'access was revoked')
  for (let i = 0; i < 100; i++) await Promise.resolve()
  feed.tell(other.grant.id, 'access was revoked')
  expect((await next).ended.map(({ grant }) => grant)).toEqual([one.grant.id, other.grant.id])
})

test('who follows an answer is told each end at once, in an answer of its own', async () => {
  const { gateway, feed, cursor, ids } = await followable()
  const answers = feed.follow({ gateway }, cursor, wait)[Symbol.asyncIterator]()
  const next = answers.next()
  // It waits from the end of this turn on.
  await new Promise((resolve) => setImmediate(resolve))
  for (const id of ids) feed.tell(id, 'access was revoked')
  const both = (await next).value as Told
  expect(both.ended.map(({ grant }) => grant)).toEqual(ids)
  const later = answers.next()
  await new Promise((resolve) => setImmediate(resolve))
  feed.tell('grt_of_nobody', 'access was revoked')
  feed.stop()
  expect(await later).toEqual({ done: true, value: undefined })
  expect((await feed.sync({ gateway, cursor: both.cursor, waitMs: 0 })).ended).toEqual([])
})

test('an end that is told while nobody listens is in the next answer that is followed', async () => {
  const { gateway, feed, cursor, ids } = await followable()
  const answers = feed.follow({ gateway }, cursor, wait)[Symbol.asyncIterator]()
  const heard: string[] = []
  for (const id of ids) {
    feed.tell(id, 'access was revoked')
    heard.push(...((await answers.next()).value as Told).ended.map(({ grant }) => grant))
  }
  expect(heard).toEqual(ids)
})

test.each<[string, (following: Followable) => unknown]>([
  ['its gateway asks anew', ({ feed, gateway, cursor }) => feed.sync({ gateway, cursor, waitMs: wait })],
  ['the server stops', ({ feed }) => feed.stop()],
  [
    'its gateway is put out',
    async ({ feed, world }) => {
      await world.admin.removeGateway({ id: 'gw-1' })
      feed.tell('gw-1')
    },
  ],
  [
    'the store cannot be read',
    ({ feed, proxy }) => {
      proxy.cut()
      feed.look()
    },
  ],
])('an answer that is followed is over when %s, and says nothing more', async (_, act) => {
  const following = await followable()
  const { gateway, feed, cursor } = following
  const next = feed.follow({ gateway }, cursor, wait)[Symbol.asyncIterator]().next()
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.race([act(following), next])
  expect(await next).toEqual({ done: true, value: undefined })
})

test('each process of a gateway has a call of its own waiting, and both hear what changes', async () => {
  const { gateway, feed, cursor, ids } = await followable()
  const [first, second] = [0, 1].map((worker) => feed.sync({ gateway, worker, cursor, waitMs: wait }))
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  const again = feed.sync({ gateway, worker: 1, cursor, waitMs: wait })
  // Of two calls of one process the first is over, with no news.
  expect((await second!).ended).toEqual([])
  feed.tell(ids[0]!, 'access was revoked')
  for (const answer of [first!, again]) {
    expect((await answer).ended).toEqual([{ grant: ids[0], reason: 'access was revoked' }])
  }
})

test('an answer that is followed is over in its time', async () => {
  const { gateway, feed, cursor } = await followable()
  const answers = feed.follow({ gateway }, cursor, 5)[Symbol.asyncIterator]()
  expect(await answers.next()).toEqual({ done: true, value: undefined })
})

test('a gateway that follows hears on lines of one answer what one that does not hears in several', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const heard: News[] = []
  let revoked: Promise<unknown> | undefined
  const onAnswer = (answer: unknown): void => {
    heard.push(answer as News)
    revoked ??= world.as('dora').revokeGrant({ id: grant.id, reason: 'Enough' })
  }
  while (!heard.some(({ ended }) => ended.length > 0)) {
    const cursor = heard.at(-1)?.cursor
    await client.syncGateway({ ...(cursor && { cursor }), waitMs: wait, followMs: 2_000 }, { onAnswer })
  }
  await revoked
  expect(heard.filter(({ whole }) => whole)).toHaveLength(1)
  expect(heard.flatMap(({ ended }) => ended)).toEqual([{ grant: grant.id, reason: 'access was revoked by user:dora' }])
  expect(new Set(heard.map(({ cursor }) => cursor)).size).toBe(heard.length)
})

test('an end is told while the feed compares itself with the store', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const world = await createGatewayWorld()
  await joined(world)
  const { grant } = await opened(world.as('alice'))
  const { feed } = feedAlone(world, { storeAt: proxy, lookEveryMs: 20 })
  onTestFinished(() => feed.stop())
  const gateway = await theGateway(world)
  const { cursor } = await feed.sync({ gateway, cursor: undefined, waitMs: 0 })
  const comparing = proxy.holdRequest('login_verifier is not null')
  const next = feed.sync({ gateway, cursor, waitMs: wait })
  await comparing
  feed.tell(grant.id, 'access was revoked')
  expect((await next).ended).toEqual([{ grant: grant.id, reason: 'access was revoked' }])
  proxy.mend()
})

test('a server that cannot read its store tells a gateway so, and not that nothing has changed', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const world = await createGatewayWorld({ storeAt: proxy })
  const { client } = await joined(world)
  const { cursor } = await client.syncGateway({ waitMs: 0 })
  const next = client.syncGateway({ cursor, waitMs: wait }).catch((error: unknown) => error)
  // It waits once it is known: whoever else signs in is answered after that.
  await world.admin.whoami({})
  proxy.cut()
  expect(await next).toMatchObject({ code: 'unavailable' })
  proxy.mend()
  const { grant } = await opened(world.as('alice'))
  const told = await client.syncGateway({ cursor, waitMs: wait })
  expect(idsOf(told)).toEqual([grant.id])
})

test('a server that stops lets go of whoever waits, with what it knows', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const { cursor } = await client.syncGateway({ waitMs: 0 })
  const next = client.syncGateway({ cursor, waitMs: wait })
  await world.admin.whoami({})
  await world.server.stop()
  expect(await next).toMatchObject({ cursor, whole: false, grants: [], ended: [] })
})

test('of two calls of one gateway the first is over when the second comes', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const { cursor } = await client.syncGateway({ waitMs: 0 })
  const first = client.syncGateway({ cursor, waitMs: wait })
  await world.admin.whoami({})
  const second = client.syncGateway({ cursor, waitMs: wait })
  expect(await first).toMatchObject({ grants: [] })
  const { grant } = await opened(world.as('alice'))
  expect(idsOf(await second)).toEqual([grant.id])
})

test('dozens of grants that end together are told within a few answers', async () => {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const ids: string[] = []
  for (let round = 0; round < 4; round++) {
    const batch = await Promise.all(Array.from({ length: 10 }, () => opened(world.as('alice'), { duration: '10m' })))
    ids.push(...batch.map(({ grant }) => grant.id))
  }
  let { cursor } = await client.syncGateway({ waitMs: 0 })
  const ending = Promise.all(ids.map((id) => world.as('alice').endGrant({ id })))
  const ended = new Set<string>()
  let answers = 0
  while (ended.size < ids.length) {
    const told = await client.syncGateway({ cursor, waitMs: wait })
    for (const { grant } of told.ended) ended.add(grant)
    cursor = told.cursor
    answers++
  }
  await ending
  expect([...ended].toSorted()).toEqual(ids.toSorted())
  expect(answers).toBeLessThan(ids.length)
})
