/** However a grant ends, it ends once, at its instant, with its sessions, and takes nothing that others give. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Session } from './support/access.ts'
import { logIn, loginsOn, onTarget, opened, outcomeOf, permitted, prefixOf } from './support/access.ts'
import { applyEdited } from './support/edit.ts'
import { startProxyForTest } from './support/proxy.ts'
import { clusterOf } from './support/databases.ts'
import { entryTypesOf, inStore } from './support/story.ts'
import { createWorld, createWorldForTest } from './support/tidegate.ts'

const minutes = (count: number): number => count * 60_000

const reads = async (session: Session): Promise<boolean> =>
  session.query('select count(*) from shop.orders').then(
    () => true,
    () => false,
  )

let world: Awaited<ReturnType<typeof createWorld>>
beforeAll(async () => void (world = await createWorld()))
afterAll(() => world.stop())

const ofGrant = (id: string): Promise<string[]> => entryTypesOf(world.admin, { grant: id })

describe('by the clock', () => {
  test('a session is cut at the very instant of the end, and not a millisecond before', async () => {
    const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
    const session = await logIn(credential)
    world.clock.set(Date.parse(grant.expiresAt as string) - 1)
    await world.server.drain()
    expect(await reads(session)).toBe(true)
    expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('active')
    world.clock.advance(1)
    await world.server.drain()
    await session.cut
    expect(await world.as('alice').getGrant({ id: grant.id })).toMatchObject({
      state: 'ended',
      end: { reason: 'expired', at: grant.expiresAt },
      endedAt: grant.expiresAt,
    })
    await expect(logIn(credential)).rejects.toThrow(/authentication failed|not permitted to log in/)
  })

  test('the target itself holds the instant of the end', async () => {
    const { grant, credential } = await opened(world.as('alice'))
    const rows = await onTarget(world.target, 'select rolvaliduntil as until from pg_roles where rolname = $1', [
      credential.user,
    ])
    expect(rows).toEqual([{ until: new Date(grant.expiresAt as string) }])
    expect(credential.expiresAt).toBe(grant.expiresAt)
    await world.as('alice').endGrant({ id: grant.id })
  })

  test('a duration counts from the activation, however long the grant lay ready', async () => {
    const id = await permitted(world.as('alice'), { duration: '30m' })
    world.clock.advance(minutes(20 * 60))
    await world.server.drain()
    const { grant } = await world.as('alice').activateGrant({ id })
    expect(Date.parse(grant.expiresAt as string)).toBe(world.clock.now() + minutes(30))
    await world.as('alice').endGrant({ id })
  })

  test('a grant that nobody activates lapses at its instant, and opens nothing', async () => {
    const id = await permitted(world.as('alice'))
    const { activateBy } = await world.as('alice').getGrant({ id })
    world.clock.set(Date.parse(activateBy) - 1)
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id })).state).toBe('ready')
    world.clock.advance(1)
    await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({ code: 'grant-lapsed' })
    await world.server.drain()
    expect(await world.as('alice').getGrant({ id })).toMatchObject({ state: 'ended', end: { reason: 'lapsed' } })
    await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({ code: 'grant-ended' })
    expect(await ofGrant(id)).toEqual(['request.approved', 'grant.created', 'grant.ended'])
  })

  test('a grant for later is not opened before its start, and counts from its activation', async () => {
    const startAt = new Date(world.clock.now() + minutes(60)).toISOString()
    const request = await world
      .as('alice')
      .createRequest({ role: 'orders-db/readonly', duration: '30m', reason: 'Tonight', startAt })
    const id = request.grant as string
    await expect(world.as('alice').activateGrant({ id })).rejects.toMatchObject({ code: 'grant-not-started' })
    world.clock.set(Date.parse(startAt) - 1)
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id })).state).toBe('scheduled')
    world.clock.advance(1)
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id })).state).toBe('ready')
    world.clock.advance(minutes(5))
    const { grant } = await world.as('alice').activateGrant({ id })
    expect(Date.parse(grant.expiresAt as string)).toBe(world.clock.now() + minutes(30))
    await world.as('alice').endGrant({ id })
    await world.server.drain()
  })

  test('a grant for later can be given back before it starts', async () => {
    const startAt = new Date(world.clock.now() + minutes(60)).toISOString()
    const request = await world
      .as('alice')
      .createRequest({ role: 'orders-db/readonly', duration: '30m', reason: 'Tonight', startAt })
    expect((await world.as('alice').endGrant({ id: request.grant as string })).state).toBe('ended')
    world.clock.advance(minutes(60))
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id: request.grant as string })).end?.reason).toBe('done')
  })
})

describe('by people', () => {
  test('who says done is out at once, and saying it again harms nothing', async () => {
    const { grant, credential } = await opened(world.as('alice'))
    const session = await logIn(credential)
    const first = await world.as('alice').endGrant({ id: grant.id, note: 'Found it' })
    expect(first).toMatchObject({ state: 'ending', end: { reason: 'done', by: 'user:alice', note: 'Found it' } })
    world.clock.advance(1)
    const again = await world.as('alice').endGrant({ id: grant.id, because: 'task-ended', note: 'Twice' })
    expect(again.end).toEqual(first.end)
    await world.server.drain()
    await session.cut
    const after = await world.as('alice').endGrant({ id: grant.id })
    expect(after).toMatchObject({ state: 'ended', end: first.end })
    await world.server.drain()
    const types = await ofGrant(grant.id)
    expect(types.filter((type) => type === 'grant.ending' || type === 'grant.ended')).toEqual([
      'grant.ending',
      'grant.ended',
    ])
  })

  test('a grant that is being ended from all sides ends once', async () => {
    const { grant } = await opened(world.as('alice'))
    const { id } = grant
    await Promise.all([
      world.as('alice').endGrant({ id }),
      world.as('alice').endGrant({ id, because: 'task-ended' }),
      world.as('dora').revokeGrant({ id, reason: 'Enough' }),
      world.as('bob').revokeGrant({ id, reason: 'Enough' }),
      world.server.drain(),
    ])
    await world.server.drain()
    const types = await ofGrant(id)
    expect(types.filter((type) => type === 'grant.ending' || type === 'grant.ended')).toEqual([
      'grant.ending',
      'grant.ended',
    ])
  })

  test.each([
    ['dora', 'an administrator'],
    ['bob', 'an owner of the resource'],
  ])('%s revokes, being %s: the session is cut, and the holder sees by whom and why', async (who) => {
    const { grant, credential } = await opened(world.as('alice'))
    const session = await logIn(credential)
    await world.as(who).revokeGrant({ id: grant.id, reason: 'The incident is over' })
    await world.server.drain()
    await session.cut
    expect((await world.as('alice').getGrant({ id: grant.id })).end).toMatchObject({
      reason: 'revoked',
      by: `user:${who}`,
      note: 'The incident is over',
    })
    await expect(logIn(credential)).rejects.toThrow(/authentication failed|not permitted to log in/)
  })

  test('nobody else revokes, and nobody is done for another', async () => {
    const { grant } = await opened(world.as('alice'))
    const { id } = grant
    await expect(world.as('carol').revokeGrant({ id, reason: 'x' })).rejects.toMatchObject({ code: 'not-found' })
    await expect(world.as('sam').revokeGrant({ id, reason: 'x' })).rejects.toMatchObject({ code: 'forbidden' })
    await expect(world.as('alice').revokeGrant({ id, reason: 'x' })).rejects.toMatchObject({ code: 'forbidden' })
    for (const who of ['carol', 'bob', 'dora', 'sam', 'ci']) {
      await expect(world.as(who).endGrant({ id })).rejects.toMatchObject({ code: 'not-found' })
      await expect(world.as(who).activateGrant({ id })).rejects.toMatchObject({ code: 'not-found' })
    }
    expect((await world.as('alice').endGrant({ id })).end?.by).toBe('user:alice')
    await world.server.drain()
  })

  test('a new credential of an active grant ends with it, and is the only one that still lets in', async () => {
    const { grant, credential } = await opened(world.as('alice'))
    const session = await logIn(credential)
    world.clock.advance(minutes(5))
    const again = await world.as('alice').activateGrant({ id: grant.id })
    expect(again.grant.expiresAt).toBe(grant.expiresAt)
    expect(again.credential.secret).not.toBe(credential.secret)
    expect(await reads(session)).toBe(true)
    await expect(logIn(credential)).rejects.toThrow(/authentication failed/)
    const second = await logIn(again.credential)
    await world.as('alice').endGrant({ id: grant.id })
    await world.server.drain()
    await Promise.all([session.cut, second.cut])
  })
})

describe('beside others', () => {
  test('ending one of two grants of one person on one role leaves exactly what the other gives', async () => {
    const [one, other] = [await opened(world.as('alice')), await opened(world.as('alice'))]
    const [first, second] = [await logIn(one.credential), await logIn(other.credential)]
    await world.as('alice').endGrant({ id: one.grant.id })
    await world.server.drain()
    await first.cut
    expect(await reads(second)).toBe(true)
    expect(await reads(await logIn(other.credential))).toBe(true)
    expect(await loginsOn(world.target)).toEqual([other.credential.user])
    await world.as('alice').endGrant({ id: other.grant.id })
    await world.server.drain()
    await second.cut
    expect(await loginsOn(world.target)).toEqual([])
  })

  test('ending one of two grants on two roles leaves the privileges of the other, and none beyond', async () => {
    const request = await world
      .as('alice')
      .createRequest({ role: 'orders-db/writer', duration: '1h', reason: 'Fix order 7' })
    await world.as('carol').approveRequest({ id: request.id })
    const { grant } = await world.as('alice').getRequest({ id: request.id })
    const writer = await world.as('alice').activateGrant({ id: grant as string })
    const reader = await opened(world.as('alice'))
    const [writing, reading] = [await logIn(writer.credential), await logIn(reader.credential)]
    const write = `update shop.orders set status = 'paid' where number = 1007`
    expect((await writing.query(write)).rowCount).toBe(1)
    await expect(reading.query(write)).rejects.toThrow(/permission denied/)
    await world.as('alice').endGrant({ id: writer.grant.id })
    await world.server.drain()
    await writing.cut
    expect(await reads(reading)).toBe(true)
    await expect(reading.query(write)).rejects.toThrow(/permission denied/)
    await world.as('alice').endGrant({ id: reader.grant.id })
    await world.server.drain()
    await reading.cut
  })

  test('two who hold the same role do not end with one another', async () => {
    const [alices, bobs] = [await opened(world.as('alice')), await opened(world.as('bob'))]
    const [hers, his] = [await logIn(alices.credential), await logIn(bobs.credential)]
    await world.as('dora').revokeGrant({ id: alices.grant.id, reason: 'Enough' })
    await world.server.drain()
    await hers.cut
    expect(await reads(his)).toBe(true)
    await world.as('bob').endGrant({ id: bobs.grant.id })
    await world.server.drain()
    await his.cut
  })

  test('what a holder made on the target outlives the grant, and gives its maker nothing', async () => {
    await onTarget(world.target, `grant create on schema shop to ${prefixOf(world.target)}readonly`)
    const { grant, credential } = await opened(world.as('alice'))
    const session = await logIn(credential)
    await session.query('create table shop.notes as select 1 as note')
    await world.as('alice').endGrant({ id: grant.id })
    await world.server.drain()
    expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ended')
    const rows = await onTarget(world.target, `select tableowner from pg_tables where tablename = 'notes'`)
    expect(rows).toEqual([{ tableowner: world.target.owner }])
    expect(await loginsOn(world.target)).toEqual([])
  })
})

test('a revoke while the grant is being opened ends it: no credential is handed out and nothing is left', async () => {
  const proxy = await startProxyForTest(clusterOf('target'))
  const held = await createWorldForTest({ targetAt: proxy })
  const id = await permitted(held.as('alice'))
  const opening = proxy.holdRequest('CREATE ROLE')
  const activation = held.as('alice').activateGrant({ id })
  const outcome = outcomeOf(activation)
  await opening
  expect(await held.as('dora').revokeGrant({ id, reason: 'Not now' })).toMatchObject({
    state: 'ending',
    end: { reason: 'revoked' },
  })
  await held.server.drain()
  expect((await held.as('alice').getGrant({ id })).state).toBe('ending')
  proxy.mend()
  expect(await outcome).toBe('grant-ended')
  expect(await loginsOn(held.target)).toHaveLength(1)
  held.clock.advance(1_000)
  await held.server.drain()
  expect(await held.as('alice').getGrant({ id })).toMatchObject({ state: 'ended', end: { reason: 'revoked' } })
  expect(await loginsOn(held.target)).toEqual([])
})

test('a grant whose end comes while it is being opened is not handed out', async () => {
  const proxy = await startProxyForTest(clusterOf('target'))
  const held = await createWorldForTest({ targetAt: proxy })
  const id = await permitted(held.as('alice'), { duration: '5s' })
  const opening = proxy.holdAnswer('CREATE ROLE')
  const outcome = outcomeOf(held.as('alice').activateGrant({ id }))
  await opening
  held.clock.advance(5_000)
  proxy.mend()
  expect(await outcome).toBe('grant-ended')
  await held.server.drain()
  expect(await held.as('alice').getGrant({ id })).toMatchObject({ state: 'ended', end: { reason: 'expired' } })
  expect(await loginsOn(held.target)).toEqual([])
})

test('policy that is lowered in the middle of a session brings the end forward, and never back', async () => {
  const mine = await createWorldForTest()
  const { grant, credential } = await opened(mine.as('alice'), { duration: '2h' })
  const session = await logIn(credential)
  mine.clock.advance(minutes(10))
  await applyEdited(mine, 'access.cedar', ['@max_duration("8h")', '@max_duration("30m")'])
  const sooner = new Date(Date.parse(grant.activatedAt as string) + minutes(30)).toISOString()
  expect(await mine.as('alice').getGrant({ id: grant.id })).toMatchObject({ state: 'active', expiresAt: sooner })
  await mine.admin.applyConfig({ files: mine.files })
  expect((await mine.as('alice').getGrant({ id: grant.id })).expiresAt).toBe(sooner)
  mine.clock.set(Date.parse(sooner))
  await mine.server.drain()
  await session.cut
})

test('one that the store refuses to record holds up none of those that end with it', async () => {
  const mine = await createWorldForTest()
  const all = []
  for (let i = 0; i < 4; i++) all.push(await opened(mine.as('alice'), { duration: '10m' }))
  const [stuck, ...others] = all.map(({ grant }) => grant.id)
  const refusing = `create function refuse() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;
    create trigger refusing before update on access_grant for each row
    when (new.id = '${stuck}' and new.state = 'ended') execute function refuse()`
  await inStore(mine.store, refusing)
  mine.clock.advance(minutes(10))
  await expect(mine.server.drain()).rejects.toThrow('not this one')
  mine.clock.advance(1_000)
  // Whoever was in the step that failed is seen to alone, and only the one that is refused goes on being refused.
  await expect(mine.server.drain()).rejects.toThrow('not this one')
  for (const id of others) expect((await mine.as('alice').getGrant({ id })).state).toBe('ended')
  expect((await mine.as('alice').getGrant({ id: stuck as string })).state).toBe('active')
  await inStore(mine.store, 'drop trigger refusing on access_grant')
  mine.clock.advance(1_000)
  await mine.server.drain()
  expect((await mine.as('alice').getGrant({ id: stuck as string })).state).toBe('ended')
})

test('those that end together are closed together, and each is logged by itself', async () => {
  const mine = await createWorldForTest()
  const all = []
  for (let i = 0; i < 5; i++) all.push(await opened(mine.as('alice'), { duration: '10m' }))
  const sessions = await Promise.all(all.map(({ credential }) => logIn(credential)))
  mine.clock.advance(minutes(10))
  await mine.server.drain()
  await Promise.all(sessions.map(({ cut }) => cut))
  expect(await loginsOn(mine.target)).toEqual([])
  for (const { grant } of all) {
    expect((await entryTypesOf(mine.admin, { grant: grant.id })).slice(-2)).toEqual(['grant.ending', 'grant.ended'])
  }
})
