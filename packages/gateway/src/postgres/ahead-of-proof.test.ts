/** Connections to targets that are opened while their clients still prove who they are: for whom, and what becomes of them. */

import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { createTestClock } from './testing/clock.ts'
import { startGatewayForTest, testGrant, type TestGateway, type Wishes } from './testing/gateway.ts'
import { backendOf, farewell, isClosed, knock as knockAt, ring } from './testing/wire.ts'

type World = TestGateway & {
  /** Connections that the target was given, in their order. */
  readonly opened: readonly Socket[]
  /** The one of this number, once it is there. */
  readonly nth: (number: number) => Promise<Socket>
}

/** A gateway whose target is seen: each connection to it passes here. */
async function startWorld(wishes: Wishes = {}): Promise<World> {
  const opened: Socket[] = []
  const happened = new EventEmitter()
  const target = createServer((socket) => {
    const { host, port } = world.database.connection
    const onward = connect(port, host)
    for (const side of [socket, onward]) side.on('error', () => undefined)
    socket.on('close', () => onward.destroy())
    onward.on('close', () => socket.destroy())
    socket.pipe(onward).pipe(socket)
    opened.push(socket)
    happened.emit('opened')
  }).listen(0, '127.0.0.1')
  await once(target, 'listening')
  onTestFinished(() => void target.close())
  const { port } = target.address() as AddressInfo
  const world = await startGatewayForTest({ foreseen: {}, ...wishes, target: { host: '127.0.0.1', port } })
  const nth = async (number: number): Promise<Socket> => {
    while (opened.length < number) await once(happened, 'opened')
    return opened[number - 1]!
  }
  return { ...world, opened, nth }
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
