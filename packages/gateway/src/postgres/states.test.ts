/** Cut at every state of the protocol, by every side, over TLS and without: nothing of it stays, and nobody else notices. */

import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startProxyForTest } from '../../../../tests/support/proxy.ts'
import { withClient } from '../../../../tests/support/clients.ts'
import { clusterOf } from '../../../../tests/support/databases.ts'
import { createScramClient } from './scram/client.ts'
import { type Certificates, makeCertificates } from './testing/certificates.ts'
import { createTestClock } from './testing/clock.ts'
import {
  backendsGone,
  startGatewayForTest,
  testGrant,
  type TestGateway,
  testUser,
  type Wishes,
} from './testing/gateway.ts'
import { inTheMiddleOfRows, states, undecided } from './testing/states.ts'
import { dial, farewell, type Line, lineOn, readAll, ring, words } from './testing/wire.ts'
import { readAuthentication } from './wire/server-messages.ts'
import { saslInitialResponse, saslResponse, sslRequest, startupMessage } from './wire/write.ts'

let certificates: Certificates
beforeAll(async () => {
  certificates = await makeCertificates()
})
afterAll(() => certificates.remove())

const kinds = ['without TLS', 'over TLS'] as const
type Kind = (typeof kinds)[number]

const start = (kind: Kind, { settings, ...wishes }: Wishes = {}): Promise<TestGateway> =>
  startGatewayForTest({
    ...wishes,
    settings: { ...(kind === 'over TLS' && { tls: certificates.server, plain: 'nobody' }), ...settings },
  })

async function isServed(kind: Kind, world: TestGateway): Promise<void> {
  const line = await dialled(kind, world)
  line.send(words.query('select 1'))
  expect(await line.types()).toBe('TDCZ')
}

const dialled = (kind: Kind, { connection }: TestGateway): Promise<Line> =>
  dial({ ...connection, ...(kind === 'over TLS' && { ca: certificates.ca }) })

describe.each(kinds)('a session %s', (kind) => {
  type Visited = { readonly name: string; readonly line: Line }

  /** One session in each of the states, at once. */
  async function everyState(world: TestGateway, but: ReadonlySet<string> = new Set()): Promise<readonly Visited[]> {
    const visited: Visited[] = []
    for (const [name, bring] of Object.entries(states)) {
      if (but.has(name)) continue
      const line = await dialled(kind, world)
      await bring({ line, recorder: world.recorder(), gateway: world })
      visited.push({ name, line })
    }
    return visited
  }

  async function nothingIsLeft(world: TestGateway): Promise<void> {
    await Promise.all(world.sessions.map(({ closed }) => closed))
    expect(world.recorders.filter((recorder) => !recorder.isEnded())).toEqual([])
    expect(world.gateway.sessions()).toEqual([])
    await backendsGone(world)
    const tables = "select relname from pg_class where relname = 't'"
    expect((await withClient(world.database.connection, (client) => client.query(tables))).rows).toEqual([])
  }

  async function toldOf(visited: readonly Visited[]): Promise<Record<string, unknown>> {
    const told = visited.map(async ({ name, line }) => [name, (await farewell(line)) ?? 'nothing'] as const)
    return Object.fromEntries(await Promise.all(told))
  }

  /** Whoever is in the middle of a row cannot be told anything, if the rest of it does not come in time. */
  const everyOneIs = (visited: readonly Visited[], told: object): Record<string, unknown> => {
    const inRows = expect.toSatisfy((found) => found === 'nothing' || isDeepStrictEqual(found, told))
    return Object.fromEntries(visited.map(({ name }) => [name, inTheMiddleOfRows.has(name) ? inRows : told]))
  }

  test('whose grant ends is told why in every state, and its backend goes', async () => {
    const world = await start(kind, { admission: undecided })
    const visited = await everyState(world)
    const ended = world.gateway.endGrant(testGrant, 'access was revoked by user:bob')
    const message = `access was revoked by user:bob (grant ${testGrant})`
    expect(await toldOf(visited)).toEqual(everyOneIs(visited, { severity: 'FATAL', sqlstate: '57P01', message }))
    expect(await ended).toBe(visited.length)
    await nothingIsLeft(world)
    await isServed(kind, world)
  })

  test('whose client breaks off ends in every state, and its backend goes', async () => {
    const world = await start(kind, { admission: undecided })
    for (const { line } of await everyState(world)) line.reset()
    const reasons = await Promise.all(world.sessions.map(({ closed }) => closed))
    expect(reasons).toEqual(reasons.map(() => 'the client closed the connection'))
    await nothingIsLeft(world)
    await isServed(kind, world)
  })

  test('whose target is lost is told so in every state', async () => {
    const { host, port } = clusterOf('target')
    const proxy = await startProxyForTest({ host, port })
    const world = await start(kind, { admission: undecided, target: { host: proxy.host, port: proxy.port } })
    // What stands between does not keep back what it cannot pass on.
    const visited = await everyState(world, inTheMiddleOfRows)
    proxy.cut()
    const message = `the target closed the connection (grant ${testGrant})`
    expect(await toldOf(visited)).toEqual(everyOneIs(visited, { severity: 'FATAL', sqlstate: '08006', message }))
    proxy.mend()
    await nothingIsLeft(world)
    await isServed(kind, world)
  })

  test('is told in every state that its gateway stops', async () => {
    const world = await start(kind, { admission: undecided })
    const visited = await everyState(world)
    const stopped = world.gateway.stop()
    const message = `the gateway is stopping (grant ${testGrant})`
    expect(await toldOf(visited)).toEqual(everyOneIs(visited, { severity: 'FATAL', sqlstate: '57P01', message }))
    await stopped
    await nothingIsLeft(world)
  })
})

/** What a connection on its way to a session is made of. */
type Coming = { readonly world: TestGateway; readonly kind: Kind }

const startup = startupMessage(new Map(Object.entries({ user: testUser.user, database: testUser.database })))

async function encrypted(world: TestGateway): Promise<TLSSocket> {
  const plain = await ring(world)
  plain.write(sslRequest())
  await once(plain, 'readable')
  expect(String(plain.read())).toBe('S')
  const socket = connectTls({ socket: plain, servername: 'localhost', ca: certificates.ca })
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  return socket
}

const opened = ({ world, kind }: Coming) => (kind === 'over TLS' ? encrypted(world) : ring(world))

async function greeted(
  coming: Coming,
): Promise<{ line: Line; scram: NonNullable<ReturnType<typeof createScramClient>> }> {
  const line = lineOn(await opened(coming))
  line.send(startup)
  const step = readAuthentication(await line.next())
  const offered = step?.step === 'sasl' ? step.mechanisms : []
  const overTls = coming.kind === 'over TLS'
  const scram = createScramClient({ secret: testUser.password, nonce: 'a-nonce-of-a-test', offered, overTls })!
  return { line, scram }
}

async function challenged(coming: Coming): Promise<{ line: Line; final: Buffer }> {
  const { line, scram } = await greeted(coming)
  line.send(saslInitialResponse(scram.mechanism, scram.first))
  const step = readAuthentication(await line.next())
  const final = await scram.final(step?.step === 'sasl-continue' ? step.data : '')
  return { line, final: saslResponse('message' in final ? final.message : '') }
}

/** A TLS record that says it is longer than what comes of it. */
const hello = Buffer.from('160301020001', 'hex')

type Bring = (coming: Coming) => Promise<{ readonly socket: Line['socket'] }>

const always: Readonly<Record<string, Bring>> = {
  'before its first byte': async ({ world }) => ({ socket: await ring(world) }),
  'in the length of its first packet': async ({ world }) => {
    const socket = await ring(world)
    socket.write(startup.subarray(0, 3))
    return { socket }
  },
  'in the middle of its startup packet': async (coming) => {
    const socket = await opened(coming)
    socket.write(startup.subarray(0, 20))
    return { socket }
  },
  'asked for a password': async (coming) => ({ socket: (await greeted(coming)).line.socket }),
  'in the middle of its first answer': async (coming) => {
    const { line, scram } = await greeted(coming)
    line.socket.write(saslInitialResponse(scram.mechanism, scram.first).subarray(0, 30))
    return { socket: line.socket }
  },
  'asked for its proof': async (coming) => ({ socket: (await challenged(coming)).line.socket }),
  'in the middle of its proof': async (coming) => {
    const { line, final } = await challenged(coming)
    line.socket.write(final.subarray(0, 30))
    return { socket: line.socket }
  },
  'with its password proved, before its target answers': async (coming) => {
    const { line, final } = await challenged(coming)
    line.send(final)
    expect((await line.next()).type).toBe('R')
    return { socket: line.socket }
  },
}

const tlsOnly: Readonly<Record<string, Bring>> = {
  'with its request for TLS answered': async ({ world }) => {
    const socket = await ring(world)
    socket.write(sslRequest())
    await once(socket, 'readable')
    return { socket }
  },
  'in the middle of its TLS handshake': async ({ world }) => {
    const socket = await ring(world)
    socket.write(sslRequest())
    await once(socket, 'readable')
    socket.write(hello)
    return { socket }
  },
  'in the middle of a TLS handshake that it began with': async ({ world }) => {
    const socket = await ring(world)
    socket.write(hello)
    return { socket }
  },
  'with TLS, before its startup packet': async (coming) => ({ socket: await opened(coming) }),
}

describe.each(kinds)('a connection %s that is no session yet', (kind) => {
  /** A target that takes connections and says nothing. */
  async function deafTarget(): Promise<{ host: string; port: number }> {
    const deaf = createServer((socket) => socket.on('error', () => undefined).resume()).listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    onTestFinished(() => void deaf.close())
    return { host: '127.0.0.1', port: (deaf.address() as { port: number }).port }
  }

  const steps = { ...always, ...(kind === 'over TLS' && tlsOnly) }

  /** One connection at each step, and none of them gets further. */
  async function everyStep(wishes: Wishes = {}): Promise<{ world: TestGateway; sockets: readonly Line['socket'][] }> {
    const world = await start(kind, { ...wishes, target: await deafTarget() })
    const sockets: Line['socket'][] = []
    for (const bring of Object.values(steps)) sockets.push((await bring({ world, kind })).socket)
    return { world, sockets }
  }

  test('is closed at every step when its time is over, and not before', async () => {
    const clock = createTestClock()
    const { world, sockets } = await everyStep({ ports: { clock } })
    const closing = sockets.map((socket) => readAll(socket))
    clock.advance(14_999)
    // Whoever dribbles gets no more time by that.
    for (const socket of sockets) socket.write('\0')
    expect(sockets.filter((socket) => socket.closed)).toEqual([])
    clock.advance(1)
    await Promise.all(closing)
    await world.gateway.stop()
    expect([world.sessions, world.recorders.filter((recorder) => !recorder.isEnded())]).toEqual([[], []])
  })

  test('leaves nothing at any step where its client breaks off', async () => {
    const { world, sockets } = await everyStep()
    for (const socket of sockets) socket.destroy()
    await world.gateway.stop()
    expect([world.sessions, world.recorders.filter((recorder) => !recorder.isEnded())]).toEqual([[], []])
  })

  test('does not keep a gateway from stopping at any step', async () => {
    const { world, sockets } = await everyStep()
    const closing = sockets.map((socket) => readAll(socket))
    await world.gateway.stop()
    await Promise.all(closing)
    expect([world.sessions, world.recorders.filter((recorder) => !recorder.isEnded())]).toEqual([[], []])
  })

  test('keeps nobody out at any step', async () => {
    const world = await start(kind)
    for (const [name, bring] of Object.entries(steps)) {
      if (!name.includes('target')) for (let n = 0; n < 10; n++) await bring({ world, kind })
      await isServed(kind, world)
    }
  })
})
