/**
 * What a gateway makes ready for someone who comes again, or is the first with a grant, by what the control plane has
 * told, and when it does not.
 */

import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { createTestClock } from '../postgres/testing/clock.ts'
import { startWatched, type Watched } from '../postgres/testing/watched.ts'
import { backendOf, farewell, type Knock, knock, ring } from '../postgres/testing/wire.ts'
import type { Release } from './contract.ts'
import type { GatewayOptions } from './settings.ts'
import { connectionTo, createWorldForTest, releaseOf, renewedVerifier, reported, type World } from './testing/world.ts'

const knocking = async ({ gateway, grant }: World): Promise<Knock> =>
  knock(await ring(gateway), connectionTo(gateway, grant))

/** Who is at the target for someone who knocks, by their process ids. */
const madeReady = ({ database }: World): Promise<readonly number[]> =>
  withClient(database.connection, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'knocking'",
    )
    return rows.map(({ pid }) => pid)
  })

async function untilMadeReady(world: World): Promise<number> {
  for (;;) {
    const [pid] = await madeReady(world)
    if (pid !== undefined) return pid
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function untilNothingIs(world: World): Promise<void> {
  while ((await madeReady(world)).length > 0) await new Promise((resolve) => setImmediate(resolve))
}

async function visit(world: World): Promise<void> {
  const client = await world.connect()
  await client.query('select 1')
  await client.end()
}

/** Until the gateway has taken all that it was told before. */
async function untilAskedAgain({ plane }: World): Promise<void> {
  await once(plane.happened, 'syncGateway')
}

test('whoever comes again finds their target ready, and no session is told before the proof', async () => {
  const world = await createWorldForTest()
  await visit(world)
  await reported(world.plane, 'ended')
  const again = await knocking(world)
  const early = await untilMadeReady(world)
  expect(world.plane.reports.filter(({ what }) => what === 'opened')).toHaveLength(1)
  expect(await again.prove()).toBe('R')
  expect(await backendOf(again)).toBe(early)
  again.line.socket.destroy()
  const [first] = world.plane.reports
  await reported(world.plane, 'ended', ({ session }) => session !== first?.session)
  expect(world.plane.reports.filter(({ what }) => what === 'opened')).toHaveLength(2)
  expect(world.plane.released).toHaveLength(1)
})

test('a revoke takes what was made ready, before anyone has proved anything', async () => {
  const world = await createWorldForTest()
  await visit(world)
  await visit(world)
  const again = await knocking(world)
  await untilMadeReady(world)
  world.plane.end(world.grant.grant, 'access was revoked by user:bob')
  await untilNothingIs(world)
  await again.prove()
  expect((await again.line.next()).buffer.toString()).toContain('access has ended')
  await knocking(world)
  expect(await madeReady(world)).toEqual([])
})

test.each<[string, Partial<World['grant']>]>([
  ['a new password', { verifier: renewedVerifier('another') }],
  ['other rules', { rules: 'r2' }],
  ['another database', { databases: ['another'] }],
])('%s takes what was made ready', async (_, change) => {
  const world = await createWorldForTest()
  await visit(world)
  await knocking(world)
  await untilMadeReady(world)
  world.plane.put({ ...world.grant, ...change })
  await untilNothingIs(world)
})

test('an end that is moved leaves it as it is', async () => {
  const world = await createWorldForTest()
  await visit(world)
  await knocking(world)
  const early = await untilMadeReady(world)
  const taken = untilAskedAgain(world)
  world.plane.put({ ...world.grant, expiresAt: new Date(Date.now() + 7_200_000).toISOString() })
  await taken
  expect(await madeReady(world)).toEqual([early])
})

type Seen = World & Pick<Watched, 'opened' | 'nth'> & { readonly release: Release }

/** Nobody has come yet with the grant, and its target is seen. */
async function startUnmet(wishes: Partial<GatewayOptions> = {}): Promise<Seen> {
  const { host, port, opened, nth } = await startWatched(() => world.database.connection)
  const world = await createWorldForTest(wishes)
  const release = { ...releaseOf(world.database), host, port }
  world.plane.releases.set(world.grant.grant, release)
  return { ...world, opened, nth, release }
}

/** The question for the login is under way until it is answered by this. */
async function askedFor(world: Seen): Promise<{ first: Knock; answer: (release: Release) => void }> {
  let answer: (release: Release) => void = () => undefined
  world.plane.releases.set(world.grant.grant, new Promise((resolve) => (answer = resolve)))
  const asked = once(world.plane.happened, 'releaseLogin')
  const first = await knocking(world)
  await asked
  return { first, answer }
}

test('the first with a grant finds their target ready, and nobody is told of a session before the proof', async () => {
  const world = await startUnmet()
  const first = await knocking(world)
  const early = await untilMadeReady(world)
  expect(world.plane.reports).toEqual([])
  expect(await first.prove()).toBe('R')
  expect(await backendOf(first)).toBe(early)
  await reported(world.plane, 'opened')
  expect(world.plane.released).toEqual([world.grant.grant])
  expect(world.opened).toHaveLength(1)
})

/** Someone at another address. */
async function knockingElsewhere({ gateway, grant }: World): Promise<Knock> {
  const socket = connect({ host: gateway.host, port: gateway.port, localAddress: '127.0.0.2' })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return knock(socket, connectionTo(gateway, grant))
}

test('there is one first with a grant: from any address, after a wrong password, and whatever is told of it', async () => {
  const world = await startUnmet()
  const counts = (): readonly number[] => [world.opened.length, world.plane.released.length]
  const first = await knockingElsewhere(world)
  await world.nth(1)
  expect(await first.prove('wrong')).toBe('E')
  expect(await (await knocking(world)).prove('wrong')).toBe('E')
  expect(counts()).toEqual([1, 1])
  world.plane.releases.set(world.grant.grant, { ...world.release, rules: 'r2' })
  world.plane.put({ ...world.grant, rules: 'r2', verifier: renewedVerifier('another') })
  await (await world.connect({ password: 'another' })).query('select 1')
  expect(counts()).toEqual([2, 2])
  expect(await (await knockingElsewhere(world)).prove('wrong')).toBe('E')
  expect(counts()).toEqual([2, 2])
})

test('two who knock first at once ask for one login, and one of them finds their target ready', async () => {
  const world = await startUnmet()
  const both = await Promise.all([knocking(world), knocking(world)])
  await world.nth(1)
  for (const one of both) expect(await one.prove()).toBe('R')
  expect(new Set(await Promise.all(both.map(backendOf))).size).toBe(2)
  expect(world.opened).toHaveLength(2)
  expect(world.plane.released).toHaveLength(1)
})

test('a grant for another database is asked for by nobody who wants this one, and is as new afterwards', async () => {
  const world = await startUnmet()
  const to = { ...connectionTo(world.gateway, world.grant), database: 'postgres' }
  expect(await (await knock(await ring(world.gateway), to)).prove('wrong')).toBe('E')
  expect(world.plane.released).toEqual([])
  await knocking(world)
  await world.nth(1)
})

test('a revoke while the login is asked for opens nothing', async () => {
  const world = await startUnmet()
  const { first, answer } = await askedFor(world)
  const taken = untilAskedAgain(world)
  world.plane.end(world.grant.grant, 'access was revoked by user:bob')
  await taken
  answer(world.release)
  await first.prove()
  expect((await farewell(first.line))?.message).toContain('access has ended')
  expect(world.opened).toHaveLength(0)
})

test.each<[string, Partial<World['grant']>, string?]>([
  ['a new password', { verifier: renewedVerifier('another') }, 'another'],
  ['other rules', { rules: 'r2' }],
])(
  '%s while the login is asked for: who is admitted asks for another, and that is used',
  async (_, change, password) => {
    const world = await startUnmet()
    const { first, answer } = await askedFor(world)
    const grant = { ...world.grant, ...change }
    const taken = untilAskedAgain(world)
    world.plane.put(grant)
    await taken
    world.plane.releases.set(grant.grant, { ...world.release, rules: grant.rules })
    answer(world.release)
    expect(await first.prove(password)).toBe('R')
    expect(await backendOf(first)).toBeGreaterThan(0)
    expect(world.opened).toHaveLength(1)
    expect(world.plane.released).toHaveLength(2)
  },
)

test('a login that is given after the proof is used once', async () => {
  const world = await startUnmet()
  const { first, answer } = await askedFor(world)
  expect(await first.prove()).toBe('R')
  answer(world.release)
  expect(await backendOf(first)).toBeGreaterThan(0)
  expect(world.opened).toHaveLength(1)
  expect(world.plane.released).toHaveLength(1)
})

test('a login that is not given is asked for again once the password was right, and its client told as ever', async () => {
  const world = await startUnmet()
  const failed = untilLogged(world, 'login-not-released')
  world.plane.fail('releaseLogin', 'internal')
  const first = await knocking(world)
  await failed
  const other = await knocking(world)
  expect(await other.prove()).toBe('R')
  expect((await farewell(other.line))?.message).toContain('cannot be found out at the moment')
  world.plane.fail('releaseLogin', undefined)
  expect(await first.prove()).toBe('R')
  expect(await backendOf(first)).toBeGreaterThan(0)
  expect(world.opened).toHaveLength(1)
})

test('rules that cannot be held to open nothing ahead', async () => {
  const world = await startUnmet()
  world.plane.releases.set(world.grant.grant, { ...world.release, guards: ['no-such-rule'] })
  const first = await knocking(world)
  expect(await first.prove()).toBe('R')
  expect((await farewell(first.line))?.message).toContain('cannot be held to here')
  expect(world.opened).toHaveLength(0)
})

test('where no server was heard of for too long, nothing is asked and nothing opened', async () => {
  const clock = createTestClock(Date.now())
  const world = await startUnmet({ clock })
  world.plane.silence(true)
  clock.advance(11_000)
  await expect(world.connect()).rejects.toMatchObject({ code: '57P03' })
  expect(world.plane.released).toEqual([])
  expect(world.opened).toHaveLength(0)
})

async function untilLogged({ logged }: World, event: string): Promise<void> {
  while (!logged.some((line) => line.startsWith(event))) await new Promise((resolve) => setImmediate(resolve))
}
