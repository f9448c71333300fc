/** Another master key, while servers go on. */

import { randomBytes } from 'node:crypto'
import type { RunningServer } from '@tidegate/server'
import { createLogger, startServer } from '@tidegate/server'
import * as oidc from 'openid-client'
import { expect, onTestFinished, test, vi } from 'vitest'
import { opened } from './support/access.ts'
import { askerAt, signedInAsker } from './support/command-line.ts'
import { eventually } from './support/eventually.ts'
import { createGatewayWorld, joined } from './support/gateways.ts'
import { account, createSignInWorld } from './support/sign-in.ts'
import { inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest } from './support/tidegate.ts'

// Each starts several servers: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 120_000 })

const newKey = (): string => randomBytes(32).toString('base64')
const keyOf = ({ settings }: World): string => (settings.key.from === 'value' ? settings.key.text : '')

/** As another process that is given these keys. */
async function startWith(world: World, keys: readonly string[], background = false): Promise<RunningServer> {
  const server = await startServer({
    settings: { ...world.settings, key: { from: 'value', text: keys.join(' ') } },
    env: { ORDERS_DB_ADMIN_PASSWORD: world.target.admin.password },
    logger: createLogger('silent'),
    background,
    runtime: { now: () => world.clock.now() as never, random: randomBytes },
  })
  onTestFinished(() => server.stop())
  return server
}

const keysAt = (world: World, server: RunningServer) => world.at(server, 'sam').listKeys({})

test('two servers change their key one after the other, and what was sealed opens at each of them all the time', async () => {
  const world = await createGatewayWorld()
  const gateway = await joined(world)
  const { grant } = await opened(world.as('alice'), { duration: '2h' })
  const { secret } = await gateway.client.releaseLogin({ id: grant.id })
  const [before, after] = [keyOf(world), newKey()]
  const opens = async (...servers: readonly RunningServer[]): Promise<void> => {
    for (const { url } of servers)
      expect((await (await gateway.at(url)).releaseLogin({ id: grant.id })).secret).toBe(secret)
  }
  await world.server.stop()
  let one = await startWith(world, [before, after])
  let two = await startWith(world, [before, after])
  await opens(one, two)
  await one.stop()
  one = await startWith(world, [after, before])
  await opens(one, two)
  // Sealed by the one that still has the earlier key first, and by the one that does not.
  const { grant: third } = await opened(world.at(two, 'carol'), { duration: '2h' })
  await one.drain()
  const { grant: second } = await opened(world.at(one, 'bob'), { duration: '2h' })
  for (const { url } of [one, two])
    for (const id of [second.id, third.id])
      expect((await (await gateway.at(url)).releaseLogin({ id })).secret).toEqual(expect.any(String))
  await two.stop()
  two = await startWith(world, [after, before])
  await one.drain()
  const [old, current] = (await keysAt(world, two)).master
  expect(old).toMatchObject({ seals: false, sealed: [], until: expect.any(String) })
  expect(old).not.toHaveProperty('unusedSince')
  expect(current).toMatchObject({ seals: true })
  world.clock.advance(15 * 60_000)
  await two.drain()
  expect((await keysAt(world, one)).master[0]).toMatchObject({ id: old!.id, unusedSince: expect.any(String) })
  await Promise.all([one.stop(), two.stop()])
  const alone = await startWith(world, [after])
  await opens(alone)
  expect((await keysAt(world, alone)).master.map(({ id }) => id)).toEqual([old!.id, current!.id])
  const entries = (await world.at(alone, 'sam').listEntries({ limit: 100 })).items.toReversed()
  expect(entries.filter(({ type }) => type.startsWith('master-key.')).map(({ type, entry }) => [type, entry])).toEqual([
    ['master-key.changed', expect.objectContaining({ from: old!.id, to: current!.id })],
    ['master-key.unused', expect.objectContaining({ key: old!.id })],
  ])
  const said = JSON.stringify([await keysAt(world, alone), entries])
  for (const key of [before, after]) expect(said).not.toContain(key)
})

test('a key that another running server was not given comes first nowhere', async () => {
  const world = await createWorldForTest({ background: true, time: 'system' })
  const [before, after] = [keyOf(world), newKey()]
  await eventually(async () => expect((await keysAt(world, world.server)).servers).toBe(1))
  const sealedNow = () => inStore(world.store, 'select key_check, signing_key from installation, log_key')
  const was = await sealedNow()
  await expect(startWith(world, [after, before])).rejects.toMatchObject({
    name: 'StartRefusal',
    message: expect.stringMatching(/^Another server on this store was not given the master key [0-9a-f]{8}/),
    remedy: expect.stringContaining('restart them, before it comes first'),
  })
  expect(await sealedNow()).toEqual(was)
  // As a further key it is no danger to anyone.
  const other = await startWith(world, [before, after], true)
  await eventually(async () =>
    expect(await keysAt(world, other)).toMatchObject({ servers: 2, master: [{ servers: 2 }, { servers: 1 }] }),
  )
  await world.server.stop()
  await eventually(async () => expect((await keysAt(world, other)).servers).toBe(1))
  await startWith(world, [after, before])
})

test('the key that the store has left alone does not open it any more, whoever starts with it', async () => {
  const world = await createWorldForTest()
  const [before, after] = [keyOf(world), newKey()]
  await world.server.stop()
  const server = await startWith(world, [after, before])
  await server.drain()
  const [, current] = (await keysAt(world, server)).master
  await server.stop()
  await expect(startWith(world, [before])).rejects.toMatchObject({
    name: 'StartRefusal',
    message: expect.stringContaining(current!.id),
    remedy: expect.stringContaining('TIDEGATE_KEY'),
  })
  const settings = (await keysAt(world, await startWith(world, [before, after]))).master
  expect(settings.find(({ seals }) => seals)?.id).toBe(current!.id)
})

test('a command line that lost the answer to its refresh gets the same from a server with the next key', async () => {
  const { world, signIn } = await createSignInWorld()
  const { browser } = await signIn(account('erin', { groups: ['platform'] }))
  const { tokens, key } = await signedInAsker({ url: world.server.url, clock: world.clock }, browser)
  const next = await startWith(world, [newKey(), keyOf(world)])
  const refreshAt = async ({ url }: RunningServer, secret = ''): Promise<string | undefined> => {
    const { config, handle } = await askerAt(url, world.clock, key)
    return (await oidc.refreshTokenGrant(config, secret, undefined, { DPoP: handle })).refresh_token
  }
  const given = await refreshAt(world.server, tokens.refresh_token)
  expect(await refreshAt(next, tokens.refresh_token)).toBe(given)
  const further = await refreshAt(next, given)
  expect(further).not.toBe(given)
  expect(await refreshAt(next, further)).toEqual(expect.any(String))
})
