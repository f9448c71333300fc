/** Connections to targets that are opened while their clients still prove who they are: for whom, and what becomes of them. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import type { TargetLogin } from './shell/ports.ts'
import { createTestClock } from './testing/clock.ts'
import { startGatewayForTest, testGrant, type TestGateway, type Wishes } from './testing/gateway.ts'
import { startWatched, type Watched } from './testing/watched.ts'
import { backendOf, farewell, isClosed, knock as knockAt, ring } from './testing/wire.ts'

type World = TestGateway &
  Pick<Watched, 'opened' | 'nth'> & {
    /** Where the gateway finds its target. */
    readonly way: Pick<Watched, 'host' | 'port'>
  }

/** A gateway whose target is seen. */
async function startWorld(wishes: Wishes = {}): Promise<World> {
  const { host, port, opened, nth } = await startWatched(() => world.database.connection)
  const way = { host, port }
  const world = await startGatewayForTest({ foreseen: {}, ...wishes, target: way })
  return { ...world, opened, nth, way }
}

/** What is foreseen for the first time as that, and then no more. */
function firstOnce(foreseen: Wishes['foreseen'] = {}): Wishes['foreseen'] & object {
  let isFirst = true
  return {
    ...foreseen,
    get isFirst() {
      const was = isFirst
      isFirst = false
      return was
    },
  }
}

/** Comes in and goes again, as often as that. */
async function visit(world: World, times = 1): Promise<void> {
  for (let i = 0; i < times; i++) {
    const client = new Client(world.connection)
    await client.connect()
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    const closed = world.sessions.at(-1)!.closed
    await client.end()
    await closed
  }
}

const knock = async (world: World) => knockAt(await ring(world), world.connection)

/** Who is in the target as this application, by their process ids. Looks past the gateway. */
const inTarget = ({ database }: World): Promise<readonly number[]> =>
  withClient(database.connection, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'knocking'",
    )
    return rows.map(({ pid }) => pid)
  })

async function untilInTarget(world: World): Promise<number> {
  for (;;) {
    const [pid] = await inTarget(world)
    if (pid !== undefined) return pid
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('who came in a moment ago is led to a backend that was there before the proof', async () => {
  const world = await startWorld()
  await visit(world)
  const again = await knock(world)
  const early = await untilInTarget(world)
  expect([world.recorders.length, world.sessions.length]).toEqual([1, 1])
  expect(await again.prove()).toBe('R')
  expect(await backendOf(again)).toBe(early)
  expect([world.recorders.length, world.sessions.length, world.opened.length]).toEqual([2, 2, 2])
})

test('the session that comes of it can be cancelled, and ends like any other', async () => {
  const world = await startWorld()
  await visit(world)
  const client = new Client(world.connection)
  const ended = new Promise((resolve) => client.on('error', resolve))
  await client.connect()
  expect(world.opened).toHaveLength(2)
  expect((await client.query("select current_setting('client_encoding') as e")).rows).toEqual([{ e: 'UTF8' }])
  await world.gateway.endGrant(testGrant, 'access was revoked by user:bob')
  expect(String(await ended)).toContain('access was revoked by user:bob')
  await isClosed(world.opened[1]!)
})

test('a stranger opens nothing before the proof', async () => {
  const world = await startWorld()
  const strangers = await Promise.all([knock(world), knock(world), knock(world)])
  for (const { prove } of strangers) expect(await prove('wrong')).toBe('E')
  await visit(world)
  expect(world.opened).toHaveLength(1)
})

test('nobody at another address has anything of it', async () => {
  const world = await startWorld()
  await visit(world)
  const elsewhere = connect({ host: world.host, port: world.port, localAddress: '127.0.0.2' })
  onTestFinished(() => void elsewhere.destroy())
  await once(elsewhere, 'connect')
  expect(await (await knockAt(elsewhere, world.connection)).prove('wrong')).toBe('E')
  await knock(world)
  await world.nth(2)
  expect(world.opened).toHaveLength(2)
})

test('one proof opens one ahead, however many knock', async () => {
  const world = await startWorld()
  await visit(world)
  const knocking = [await knock(world), await knock(world), await knock(world)]
  for (const { prove } of knocking) expect(await prove('wrong')).toBe('E')
  await visit(world)
  expect(world.opened).toHaveLength(3)
})

test('a wrong password closes what was opened, at once, and takes the proof with it', async () => {
  const world = await startWorld()
  await visit(world)
  const wrong = await knock(world)
  const early = await world.nth(2)
  expect(await wrong.prove('wrong')).toBe('E')
  await isClosed(early)
  expect(await (await knock(world)).prove('wrong')).toBe('E')
  await visit(world)
  expect(world.opened).toHaveLength(3)
  expect(world.recorders).toHaveLength(2)
})

test('a client that leaves takes what was opened with it', async () => {
  const world = await startWorld()
  await visit(world)
  const { line } = await knock(world)
  const early = await world.nth(2)
  line.socket.destroy()
  await isClosed(early)
})

test('what was opened waits for the proof for two seconds, and who proves it later gets another', async () => {
  const clock = createTestClock()
  const world = await startWorld({ ports: { clock } })
  await visit(world)
  const slow = await knock(world)
  const early = await untilInTarget(world)
  clock.advance(1_999)
  expect(await inTarget(world)).toEqual([early])
  clock.advance(1)
  await isClosed(await world.nth(2))
  expect(await slow.prove()).toBe('R')
  expect(await backendOf(slow)).not.toBe(early)
})

test('what was opened is closed at the end of its access, and when what was foreseen changes', async () => {
  const clock = createTestClock()
  const over = new AbortController()
  const deadline = (clock.now() + 500) as never
  const world = await startWorld({ ports: { clock }, foreseen: { over: over.signal, deadline } })
  await visit(world, 2)
  await knock(world)
  const atItsEnd = await world.nth(3)
  await visit(world)
  const changed = await knock(world)
  const changing = await world.nth(world.opened.length)
  clock.advance(500)
  await isClosed(atItsEnd)
  over.abort()
  await isClosed(changing)
  expect(await changed.prove()).toBe('R')
  expect(await backendOf(changed)).toBeGreaterThan(0)
  await visit(world)
})

test.each<[string, Wishes['foreseen'] & object]>([
  ['another grant', { grant: 'grt_00000000000000000000000002' }],
  ['another principal', { principal: 'user:bob' }],
])('what was foreseen for %s is not used', async (_, foreseen) => {
  const world = await startWorld({ foreseen })
  await visit(world)
  const again = await knock(world)
  const early = await untilInTarget(world)
  expect(await again.prove()).toBe('R')
  expect(await backendOf(again)).not.toBe(early)
  await isClosed(world.opened[1]!)
})

test('what was opened with other settings than the admission asks for is not used', async () => {
  const target = { parameters: { default_transaction_read_only: 'on' } }
  let isStrict = false
  const world: World = await startWorld({
    admission: {
      get target() {
        const { host, port, database, user, password: secret } = world.database.connection
        return { host, port, database, user, secret, tls: 'disable' as const, ...(isStrict && target) }
      },
    },
  })
  await visit(world)
  const again = await knock(world)
  const early = await untilInTarget(world)
  isStrict = true
  expect(await again.prove()).toBe('R')
  expect(await backendOf(again)).not.toBe(early)
})

test('what has died meanwhile is not used', async () => {
  const world = await startWorld()
  await visit(world)
  const again = await knock(world)
  const early = await untilInTarget(world)
  await withClient(world.database.connection, (client) => client.query('select pg_terminate_backend($1)', [early]))
  await isClosed(await world.nth(2))
  expect(await again.prove()).toBe('R')
  expect(await backendOf(again)).not.toBe(early)
})

test('who has proved nothing keeps nobody out: their place goes to who has', async () => {
  const world = await startWorld({ settings: { limits: { sessionsPerGrant: 1 } } })
  await visit(world)
  const early = await knock(world)
  await world.nth(2)
  await visit(world)
  await isClosed(world.opened[1]!)
  expect(await early.prove()).toBe('R')
  expect(await backendOf(early)).toBeGreaterThan(0)
  const late = await knock(world)
  expect(await late.prove()).toBe('R')
  expect((await farewell(late.line))?.message).toBe(`grant ${testGrant} has 1 open sessions; close one`)
})

test('a gateway that stops leaves nothing open that was opened ahead', async () => {
  const world = await startWorld()
  await visit(world)
  await knock(world)
  const early = await world.nth(2)
  await world.gateway.stop()
  await isClosed(early)
})

test('the first who knocks with a grant is led to a backend that was there before the proof', async () => {
  const world = await startWorld({ foreseen: firstOnce() })
  const first = await knock(world)
  const early = await untilInTarget(world)
  expect([world.recorders.length, world.sessions.length]).toEqual([0, 0])
  expect(await first.prove()).toBe('R')
  expect(await backendOf(first)).toBe(early)
  expect([world.recorders.length, world.sessions.length, world.opened.length]).toEqual([1, 1, 1])
})

test('of two who knock first with a grant at once, one finds it opened', async () => {
  const world = await startWorld({ foreseen: firstOnce() })
  const both = await Promise.all([knock(world), knock(world)])
  await world.nth(1)
  for (const one of both) expect(await one.prove()).toBe('R')
  const backends = await Promise.all(both.map(backendOf))
  expect(new Set(backends).size).toBe(2)
  expect(world.opened).toHaveLength(2)
})

test('the first finds nothing opened where there is no place', async () => {
  const first = { isFirst: false }
  const world = await startWorld({ foreseen: first, settings: { limits: { sessionsPerGrant: 1 } } })
  const here = await knock(world)
  expect(await here.prove()).toBe('R')
  await backendOf(here)
  first.isFirst = true
  expect(await (await knock(world)).prove('wrong')).toBe('E')
  expect(world.opened).toHaveLength(1)
})

/** A target that is not known until it is told. */
function lateTarget() {
  let tell: (target: TargetLogin | undefined) => void = () => undefined
  const target = new Promise<TargetLogin | undefined>((resolve) => (tell = resolve))
  return { foreseen: firstOnce({ target }), tell: (told: TargetLogin | undefined) => tell(told) }
}

const targetOf = ({ database, way }: World): TargetLogin => {
  const { database: name, user, password: secret } = database.connection
  return { ...way, database: name, user, secret, tls: 'disable' }
}

test('a target that is told while the client proves its password is opened then', async () => {
  const { foreseen, tell } = lateTarget()
  const world = await startWorld({ foreseen })
  const first = await knock(world)
  expect(world.opened).toHaveLength(0)
  tell(targetOf(world))
  const early = await untilInTarget(world)
  expect(await first.prove()).toBe('R')
  expect(await backendOf(first)).toBe(early)
})

test('a target that cannot be told is reached by the long way', async () => {
  const { foreseen, tell } = lateTarget()
  const world = await startWorld({ foreseen })
  const first = await knock(world)
  tell(undefined)
  expect(await first.prove()).toBe('R')
  expect(await backendOf(first)).toBeGreaterThan(0)
  expect(world.opened).toHaveLength(1)
})

/** Until whoever was on their way in has left, or was sent away. */
async function untilTurnedAway({ logged }: World): Promise<void> {
  while (!logged.some((line) => line.startsWith('handshake-failed')))
    await new Promise((resolve) => setImmediate(resolve))
}

test.each<[string, (world: World, first: Awaited<ReturnType<typeof knock>>) => Promise<unknown>]>([
  ['the client was admitted', async (_, first) => (await first.prove()) === 'R' && backendOf(first)],
  ['the password was wrong', (_, first) => first.prove('wrong')],
  [
    'the client has left',
    async (world, first) => {
      first.line.socket.destroy()
      await untilTurnedAway(world)
    },
  ],
])('a target that is told after %s is not opened', async (_, meanwhile) => {
  const { foreseen, tell } = lateTarget()
  const world = await startWorld({ foreseen })
  const first = await knock(world)
  await meanwhile(world, first)
  const before = world.opened.length
  tell(targetOf(world))
  await visit(world)
  expect(world.opened).toHaveLength(before + 1)
})

test('a target that is told after two seconds, or when it is over, is not opened', async () => {
  const clock = createTestClock()
  const { foreseen, tell } = lateTarget()
  const over = new AbortController()
  const world = await startWorld({ ports: { clock }, foreseen: { ...foreseen, isFirst: true, over: over.signal } })
  await knock(world)
  clock.advance(2_000)
  await knock(world)
  over.abort()
  tell(targetOf(world))
  const strangers = await knock(world)
  expect(await strangers.prove('wrong')).toBe('E')
  expect(world.opened).toHaveLength(0)
})
