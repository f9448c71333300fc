/** Servers, a gateway and a target, all real: access that leads through the gateway, from its opening to its end. */

import { join } from 'node:path'
import { instant } from '@tidegate/core'
import { recordingFolder, verifyRecording } from '@tidegate/gateway'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { libpqOf, loginsOn, opened } from './support/access.ts'
import { connectedWorld, logIn, sessionsOf, started, untilAsleep } from './support/connected.ts'
import { hasProgram } from './support/programs.ts'
import { entriesOf, entryTypesOf } from './support/story.ts'
import { createTestClock } from '../packages/gateway/src/postgres/testing/clock.ts'
import { run } from '../packages/gateway/src/postgres/testing/psql.ts'
import { eventually } from './support/eventually.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

test('a grant’s token leads through the gateway to the target, and its session is in the log', async () => {
  const { world, gateway, options } = await connectedWorld()
  const { grant, credential } = await opened(world.as('alice'))
  expect(credential).toMatchObject({ host: '127.0.0.1', port: gateway.port, user: grant.id })
  const { client } = await logIn(credential)
  expect((await client.query('select count(*)::int > 0 as some from shop.orders')).rows).toEqual([{ some: true }])
  const [session] = await sessionsOf(world.as('alice'), 1)
  expect(session).toMatchObject({ grant: grant.id, principal: 'user:alice', gateway: 'gw-1' })
  await client.end()
  const [over] = await sessionsOf(world.as('alice'), 1, 'false')
  expect(over).toMatchObject({ id: session!.id, endReason: 'the client left', statements: 1, refused: 0 })
  const types = await entryTypesOf(world.admin, { grant: grant.id })
  expect(types).toEqual(expect.arrayContaining(['grant.login-released', 'session.opened', 'session.ended']))
  const ended = (await entriesOf(world.admin, { grant: grant.id })).find(({ type }) => type === 'session.ended')!
  expect(JSON.stringify(ended)).toContain(over!.head!.chain)
  const started = instant(Date.parse(over!.startedAt))
  const folder = recordingFolder(join(options.dir, 'recordings'), over!.id, started)
  const head = { session: over!.id, ...over!.head! }
  expect(await verifyRecording(folder, { head })).toMatchObject({ ok: true, state: 'ended' })
})

test.skipIf(!hasPsql)('psql gets in with the token alone, and is told why it is sent away', async () => {
  const { world } = await connectedWorld()
  const { grant, credential } = await opened(world.as('alice'))
  const env = libpqOf(credential)
  const revoke = async (): Promise<void> => {
    await untilAsleep(world)
    await world.as('dora').revokeGrant({ id: grant.id, reason: 'enough' })
  }
  const argv = ['-X', '-At', '-c', 'select 6 * 7', '-c', 'select pg_sleep(60)']
  const [read] = await Promise.all([run('psql', argv, { env }), revoke()])
  expect(read.stdout).toBe('42\n')
  expect(read.stderr).toContain('FATAL:  access was revoked by user:dora')
})

test('a revoke ends the session with the reason, at the target too, and the token opens nothing any more', async () => {
  const { world } = await connectedWorld()
  const { grant, credential } = await opened(world.as('alice'))
  const { ended } = await logIn(credential)
  await world.as('dora').revokeGrant({ id: grant.id, reason: 'enough' })
  expect(await ended).toBe(`access was revoked by user:dora (grant ${grant.id})`)
  await expect(logIn(credential)).rejects.toMatchObject({ code: '28P01' })
  await eventually(async () => expect(await loginsOn(world.target)).toEqual([]))
})

test('a revoke through one server ends the session at a gateway that listens to another', async () => {
  const { world } = await connectedWorld()
  const { grant, credential } = await opened(world.as('alice'))
  const { ended } = await logIn(credential)
  const other = await world.startAnother()
  await world.at(other, 'dora').revokeGrant({ id: grant.id, reason: 'enough' })
  expect(await ended).toContain('access was revoked by user:dora')
})

test('with no server left, a session ends at its deadline, and no other opens', async () => {
  const clock = createTestClock(Date.now())
  const { world } = await connectedWorld({ clock })
  const { credential } = await opened(world.as('alice'), { duration: '30m' })
  const { client, ended, notices } = await logIn(credential)
  await world.server.stop()
  clock.advance(60_000)
  await expect(logIn(credential)).rejects.toMatchObject({ code: '57P03' })
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  clock.advance(28 * 60_000)
  clock.advance(60_000)
  expect(await ended).toContain('access has ended: its time is over')
  expect(notices).toEqual([expect.stringContaining('access ends in')])
})

test('a grant that is extended keeps its session past the first end, is warned of the second, and is cut at that', async () => {
  const clock = createTestClock(Date.now())
  const { world } = await connectedWorld({ clock })
  const { grant, credential } = await opened(world.as('alice'), { duration: '30m' })
  const { client, ended, notices } = await logIn(credential)
  const { grant: longer } = await world
    .as('alice')
    .extendGrant({ id: grant.id, duration: '1h', reason: 'Not done with order 7' })
  const extended = `access was extended: it ends at ${longer.expiresAt} (grant ${grant.id})`
  await eventually(() => expect(notices).toEqual([extended]))
  // What was told is kept without anyone to ask.
  await world.server.stop()
  clock.advance(31 * 60_000)
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  expect(notices).toEqual([extended])
  clock.advance(27 * 60_000 + 30_000)
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  expect(notices).toEqual([extended, expect.stringContaining('access ends in')])
  clock.advance(2 * 60_000)
  expect(await ended).toContain('access has ended: its time is over')
})

test('a gateway that is started again has its identity, and its grants', async () => {
  const { world, gateway, options } = await connectedWorld()
  const { credential } = await opened(world.as('alice'))
  const { ended } = await logIn(credential)
  await gateway.stop()
  expect(await ended).toContain('the gateway is stopping')
  const { enrolmentToken: _, ...rest } = options
  const again = await started(rest)
  expect(again.id).toBe('gw-1')
  await logIn({ ...credential, port: again.port })
})

test('opening a grant again makes another token, and its session goes on', async () => {
  const { world } = await connectedWorld()
  const first = await opened(world.as('alice'))
  const { client } = await logIn(first.credential)
  const second = await world.as('alice').activateGrant({ id: first.grant.id })
  expect(second.credential.secret).not.toBe(first.credential.secret)
  const other = await logIn(second.credential)
  await expect(logIn(first.credential)).rejects.toMatchObject({ code: '28P01' })
  for (const { query } of [bound(client), bound(other.client)]) expect((await query()).rows).toEqual([{ one: 1 }])
})

const bound = (client: pg.Client) => ({ query: () => client.query('select 1 as one') })

test('a killed session ends, and its neighbour does not', async () => {
  const { world } = await connectedWorld()
  const { credential } = await opened(world.as('alice'))
  const one = await logIn(credential)
  const [session] = await sessionsOf(world.as('alice'), 1)
  const other = await logIn(credential)
  await world.as('dora').killSession({ id: session!.id, reason: 'looks wrong' })
  expect(await one.ended).toContain('user:dora')
  const [over] = await sessionsOf(world.admin, 1, 'false')
  expect(over!.id).toBe(session!.id)
  expect((await other.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('a gateway that is removed ends its sessions and cannot go on', async () => {
  const { world, gateway } = await connectedWorld()
  const { credential } = await opened(world.as('alice'))
  const { ended } = await logIn(credential)
  await world.admin.removeGateway({ id: gateway.id })
  expect(await ended).toContain('put out')
  expect(await gateway.lost).toContain('removed')
})
