/** The store goes away in the middle of things: callers are told, nothing is done by halves, and it goes on afterwards. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLogger, loadSettings, startServer } from '@tidegate/server'
import { systemRuntime } from '../packages/server/src/runtime.ts'
import { scratchFolder } from './support/folders.ts'
import { logIn, loginsOn, opened, outcomeOf, permitted } from './support/access.ts'
import { clusterOf } from './support/databases.ts'
import type { Proxy } from './support/proxy.ts'
import { startProxyForTest } from './support/proxy.ts'
import { problemOf, send } from './support/http.ts'
import { entryTypesOf, stateOf } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest } from './support/tidegate.ts'

const unavailable = { code: 'unavailable' }
const wish = { role: 'orders-db/readonly', duration: '30m', reason: 'Looking into order 7' }

async function behindProxy(): Promise<{ world: World; proxy: Proxy }> {
  const proxy = await startProxyForTest(clusterOf('store'))
  return { world: await createWorldForTest({ storeAt: proxy }), proxy }
}

/** Cuts the store when the server sends this text, before or after the store has read it. */
async function cutAt(
  proxy: Proxy,
  [side, text]: readonly ['request' | 'answer', string],
  work: Promise<unknown>,
): Promise<void> {
  const outcome = outcomeOf(work)
  await (side === 'request' ? proxy.holdRequest(text) : proxy.holdAnswer(text))
  proxy.cut()
  expect(await outcome).toBe('unavailable')
}

test.each([
  ['is asked who calls', 'configuration_version'],
  ['begins', 'begin'],
  ['writes the request', 'insert into "access_request"'],
  ['writes the grant', 'insert into "access_grant"'],
  ['writes the entries', 'insert into audit_entry'],
  ['commits', 'commit'],
])(
  'a request whose store is cut as it %s is not filed, nothing is left of it, and the next one is',
  async (_when, text) => {
    const { world, proxy } = await behindProxy()
    const before = await stateOf(world.store)
    const work = world.as('alice').createRequest(wish)
    await cutAt(proxy, ['request', text], work)
    expect(await stateOf(world.store)).toEqual(before)
    await expect(world.as('alice').createRequest(wish)).rejects.toMatchObject(unavailable)
    proxy.mend()
    expect((await world.as('alice').createRequest(wish)).status).toBe('approved')
  },
)

test('a request whose commit was not heard of is there whole, and asking again with its key finds it', async () => {
  const { world, proxy } = await behindProxy()
  const options = { idempotencyKey: 'order-7' }
  await cutAt(proxy, ['answer', 'commit'], world.as('alice').createRequest(wish, options))
  proxy.mend()
  const { items } = await world.as('alice').listRequests({})
  expect(items).toHaveLength(1)
  expect(await entryTypesOf(world.admin, { request: items[0]?.id as string })).toEqual([
    'request.filed',
    'request.approved',
    'grant.created',
  ])
  const again = await world.as('alice').createRequest(wish, options)
  expect(again.id).toBe(items[0]?.id)
  expect((await world.as('alice').listRequests({})).items).toHaveLength(1)
})

test('a store that is lost while the target is being opened leaves nothing open on it', async () => {
  const stores = await startProxyForTest(clusterOf('store'))
  const targets = await startProxyForTest(clusterOf('target'))
  const world = await createWorldForTest({ storeAt: stores, targetAt: targets })
  const id = await permitted(world.as('alice'))
  const opening = targets.holdAnswer('CREATE ROLE')
  const outcome = outcomeOf(world.as('alice').activateGrant({ id }))
  await opening
  stores.cut()
  targets.mend()
  expect(await outcome).toBe('unavailable')
  expect(await loginsOn(world.target)).toHaveLength(1)
  stores.mend()
  world.clock.advance(60_000)
  await world.server.drain()
  expect(await loginsOn(world.target)).toEqual([])
  expect(await world.as('alice').getGrant({ id })).toMatchObject({ state: 'ended', end: { reason: 'open-failed' } })
})

test('a store that is lost while a grant is being closed leaves it to be closed again, and it ends once', async () => {
  const { world, proxy } = await behindProxy()
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  await world.as('alice').endGrant({ id: grant.id })
  const recording = proxy.holdRequest('update "access_grant"')
  const draining = outcomeOf(world.server.drain())
  await recording
  proxy.cut()
  expect(await draining).not.toBe('done')
  await session.cut
  proxy.mend()
  expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ending')
  await world.server.drain()
  expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ended')
  expect((await entryTypesOf(world.admin, { grant: grant.id })).filter((type) => type === 'grant.ended')).toHaveLength(
    1,
  )
})

test('without its store a server is alive, is not ready, and answers everything else with a problem of ours', async () => {
  const { world, proxy } = await behindProxy()
  proxy.cut()
  const { url } = world.server
  expect((await send(url, { path: '/healthz' })).status).toBe(200)
  expect(problemOf(await send(url, { path: '/readyz' })).code).toBe('unavailable')
  expect(problemOf(await send(url, { path: '/v1/me', token: world.tokenOf('alice') })).code).toBe('unavailable')
  expect(problemOf(await send(url, { path: '/log/checkpoint' })).code).toBe('unavailable')
  proxy.mend()
  expect((await send(url, { path: '/readyz' })).status).toBe(200)
})

test('a server at work by its own clock outlives the loss of its store', async () => {
  const proxy = await startProxyForTest(clusterOf('store'))
  const world = await createWorldForTest({ storeAt: proxy, background: true, time: 'system' })
  const { credential } = await opened(world.as('alice'), { duration: '3s' })
  const session = await logIn(credential)
  proxy.cut()
  await expect(world.as('alice').whoami({})).rejects.toMatchObject(unavailable)
  proxy.mend()
  await session.cut
})

test('a server with another master key refuses to start on the store, says why, and leaves it as it was', async () => {
  const world = await createWorldForTest()
  const before = await stateOf(world.store)
  const settings = { ...world.settings, key: { from: 'value', text: randomBytes(32).toString('base64') } } as const
  await expect(startServer({ settings, env: {}, logger: createLogger('silent') })).rejects.toMatchObject({
    name: 'StartRefusal',
    message: expect.stringContaining('master key'),
    remedy: expect.stringContaining('TIDEGATE_KEY'),
  })
  expect(await stateOf(world.store)).toEqual(before)
})

async function killPostgresOf(dataDir: string): Promise<void> {
  const [pid] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')
  process.kill(Number(pid), 'SIGKILL')
}

test.each([1, 2, 3])(
  'a server whose own PostgreSQL is killed while it starts says that, and lets go of the data folder (%i)',
  async (when) => {
    const dataDir = join(scratchFolder(), 'data')
    const settings = await loadSettings({ TIDEGATE_DATA: dataDir, TIDEGATE_LISTEN: '127.0.0.1:0' }, undefined)
    let asked = 0
    const killed: Promise<void>[] = []
    const runtime = {
      ...systemRuntime,
      random(count: number) {
        asked += 1
        if (asked === when) killed.push(killPostgresOf(dataDir))
        return systemRuntime.random(count)
      },
    }
    const start = { settings, env: {}, logger: createLogger('silent') }
    await expect(startServer({ ...start, runtime })).rejects.toMatchObject({ code: 'gone', dataDir })
    await Promise.all(killed)
    const again = await startServer(start)
    await again.stop()
  },
)

test('a first start whose address is in use gives no way in away: the next one shows them', async () => {
  const dataDir = join(scratchFolder(), 'data')
  const settingsAt = (listen: string) => loadSettings({ TIDEGATE_DATA: dataDir, TIDEGATE_LISTEN: listen }, undefined)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const start = { env: {}, logger: createLogger('silent') }
  const inVain = startServer({ ...start, settings: await settingsAt(`127.0.0.1:${port}`) })
  await expect(inVain).rejects.toMatchObject({ code: 'EADDRINUSE' })
  taken.close()
  const server = await startServer({ ...start, settings: await settingsAt('127.0.0.1:0') })
  const { url, firstToken: token = '', firstLink } = server
  expect((await send(url, { path: '/v1/me', token })).status).toBe(200)
  expect(firstLink).toMatch(/#tdi_/)
  await server.stop()
  const again = await startServer({ ...start, settings: await settingsAt('127.0.0.1:0') })
  await again.stop()
  expect([again.firstToken, again.firstLink]).toEqual([undefined, undefined])
})
