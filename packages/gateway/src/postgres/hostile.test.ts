/** Clients that mean no good, or do nothing at all. Nobody else may notice. */

import { once } from 'node:events'
import fc from 'fast-check'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { clientMessages } from './limits.ts'
import { createTestClock } from './testing/clock.ts'
import { startGatewayForTest, type TestGateway, testUser, verifierOf } from './testing/gateway.ts'
import { dial, lineOn, readAll, ring, say, words } from './testing/wire.ts'
import { readError, readNegotiation } from './wire/server-messages.ts'
import { protocol } from './wire/startup.ts'
import { startupMessage } from './wire/write.ts'

const startup = (parameters: Readonly<Record<string, string>> = {}, version: number = protocol.v32): Buffer =>
  startupMessage(new Map(Object.entries({ user: testUser.user, database: testUser.database, ...parameters })), version)

/** What comes back to these bytes until the gateway closes. */
async function answerTo(world: TestGateway, bytes: Buffer): Promise<string> {
  const socket = await ring(world)
  socket.write(bytes)
  return (await readAll(socket)).toString()
}

const testAuthority = { lookup: async () => verifierOf(testUser.password) }

async function isServed(world: TestGateway): Promise<void> {
  const client = new Client(world.connection)
  await client.connect()
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await client.end()
}

describe('sockets that are not sessions', () => {
  test('a thousand that say nothing keep nobody out', async () => {
    const world = await startGatewayForTest()
    for (let i = 0; i < 1_000; i++) await ring(world)
    await isServed(world)
  })

  test('some that sent a piece of a packet cost nothing', async () => {
    const world = await startGatewayForTest()
    for (const bytes of [1, 3, 4, 7, 9]) (await ring(world)).write(startup().subarray(0, bytes))
    await isServed(world)
    await isServed(world)
  })

  test('make place in the order in which they came, those that said something last', async () => {
    const world = await startGatewayForTest({ settings: { limits: { handshakes: 3 } } })
    const speaking = await ring(world)
    speaking.write(startup())
    const line = lineOn(speaking)
    expect((await line.next()).type).toBe('R')
    const [first, second] = [await ring(world), await ring(world)]
    const closed = once(first, 'close')
    first.resume()
    await ring(world)
    await closed
    expect([speaking.destroyed, second.destroyed]).toEqual([false, false])
  })

  test('are closed when their time is over, however far they got', async () => {
    const clock = createTestClock()
    const world = await startGatewayForTest({ ports: { clock } })
    const [silent, speaking] = [await ring(world), await ring(world)]
    speaking.write(startup())
    await lineOn(speaking).next()
    const closed = [silent, speaking].map((socket) => readAll(socket))
    clock.advance(15_000)
    await Promise.all(closed)
  })

  test('a target that does not answer is not waited for longer', async () => {
    const { createServer } = await import('node:net')
    const deaf = createServer().listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    onTestFinished(() => void deaf.close())
    const clock = createTestClock()
    const { port } = deaf.address() as { port: number }
    const world = await startGatewayForTest({ ports: { clock }, target: { port } })
    const client = new Client(world.connection)
    client.on('error', () => undefined)
    const connecting = client.connect()
    connecting.catch(() => undefined)
    const [socket] = await once(deaf, 'connection')
    const gone = once(socket.resume(), 'close')
    clock.advance(15_000)
    await expect(connecting).rejects.toThrow('Connection terminated')
    await gone
    await world.gateway.stop()
    expect(world.recorder().isEnded()).toBe(true)
  })
})

describe('a startup packet', () => {
  test.each([
    [{ replication: 'database' }, 'replication does not go through Tidegate'],
    [{ options: '-c search_path=secret' }, 'the startup parameter "options" is not taken'],
    [{ search_path: 'secret' }, 'the startup parameter "search_path" is not taken'],
    [{ Session_Authorization: 'postgres' }, 'the startup parameter "Session_Authorization" is not taken'],
    [{ role: 'postgres' }, 'the startup parameter "role" is not taken'],
    [{ constructor: 'x' }, 'the startup parameter "constructor" is not taken'],
    [{ client_encoding: 'SJIS' }, 'the client encoding must be UTF8'],
    [{ user: '' }, 'the startup parameter "user" has a value that is not taken'],
  ])('with %j is refused by name', async (parameters, reason) => {
    const world = await startGatewayForTest()
    expect(await answerTo(world, startup(parameters as Record<string, string>))).toContain(reason)
  })

  test('takes what drivers say of how values are written', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection, {
      application_name: 'a test',
      DateStyle: 'German',
      TimeZone: 'Europe/Oslo',
      extra_float_digits: '2',
      options: ' ',
      client_encoding: 'SQL_ASCII',
    })
    line.send(
      words.query(
        "select current_setting('datestyle'), current_setting('timezone'), current_setting('client_encoding')",
      ),
    )
    const row = (await line.untilReady()).find(({ type }) => type === 'D')!.buffer.toString()
    expect(row).toContain('German')
    expect(row).toContain('Europe/Oslo')
    expect(row).toContain('UTF8')
    expect(world.sessions[0]!.client.applicationName).toBe('a test')
  })

  test.each([
    ['3.1, which never was', 0x0003_0001, protocol.v30],
    ['a later one', 0x0003_0009, protocol.v32],
  ])('of protocol %s is offered what there is', async (_, asked, offered) => {
    const world = await startGatewayForTest()
    const socket = await ring(world)
    socket.write(startup({ '_pq_.compression': 'on' }, asked))
    const frame = await lineOn(socket).next()
    expect(frame.type).toBe('v')
    expect(readNegotiation(frame)).toEqual({ version: offered, unknownOptions: ['_pq_.compression'] })
  })

  test.each([
    ['of protocol 2', Buffer.from([0, 0, 0, 8, 0, 2, 0, 0])],
    ['that has no end', Buffer.from([0, 0, 0, 13, 0, 3, 0, 0, 0x75, 0x73, 0x65, 0x72, 0])],
  ])('%s is refused', async (_, bytes) => {
    const world = await startGatewayForTest()
    expect(await answerTo(world, bytes)).toContain('08P01')
  })

  test.each([
    ['a length of nothing', Buffer.from([0, 0, 0, 0])],
    ['a length of two gigabytes', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
    ['a request over HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('with %s is not answered', async (_, bytes) => {
    const world = await startGatewayForTest()
    expect(await answerTo(world, bytes)).toBe('')
  })
})

describe('a login', () => {
  test('fails alike for an unknown user, an unknown database and a wrong password', async () => {
    const world = await startGatewayForTest()
    for (const wrong of [{ password: 'wrong' }, { user: 'mallory' }, { database: 'other' }]) {
      const login = { ...world.connection, ...wrong }
      await expect(new Client(login).connect()).rejects.toMatchObject({
        code: '28P01',
        message: `password authentication failed for user "${login.user}"`,
      })
    }
    expect(world.sessions).toEqual([])
    expect(world.recorders).toEqual([])
  })

  test('is turned away with a reason where the authority gives one', async () => {
    const { lookup } = testAuthority
    const admit = async () => ({ outcome: 'turned-away', reason: 'grant grt_x has ended' }) as const
    const world = await startGatewayForTest({ ports: { authority: { lookup, admit } } })
    await expect(new Client(world.connection).connect()).rejects.toMatchObject({
      code: '28000',
      message: 'grant grt_x has ended',
    })
  })

  test('is turned away where the authority cannot be asked', async () => {
    const { lookup } = testAuthority
    const down = (): Promise<never> => Promise.reject(new Error('down'))
    for (const authority of [
      { lookup: down, admit: down },
      { lookup, admit: down },
    ]) {
      const world = await startGatewayForTest({ ports: { authority } })
      await expect(new Client(world.connection).connect()).rejects.toMatchObject({ code: '57P03' })
    }
  })

  test('goes as far as its limits, and no further', async () => {
    const world = await startGatewayForTest({ settings: { limits: { sessionsPerGrant: 1 } } })
    const line = await dial(world.connection)
    await expect(new Client(world.connection).connect()).rejects.toMatchObject({ code: '53300' })
    expect(world.recorder().isEnded()).toBe(true)
    line.socket.end(words.terminate())
    await world.sessions[0]!.closed
    await isServed(world)
  })
})

describe('a session', () => {
  test.each([
    ['an unknown message', say('?', 'x'), "an unknown message of type '?'"],
    ['a password it was not asked for', say('p', 'x'), "an unknown message of type 'p'"],
    ['a malformed Bind', say('B', 'x'), 'a malformed Bind'],
    ['a Query that goes on after its end', say('Q', 'select 1', 'drop table t'), 'a malformed Query'],
    ['a Query of two gigabytes', Buffer.from('Q\x7f\xff\xff\xff', 'latin1'), 'a Query of 2147483647 bytes'],
  ])('with %s is ended with a reason', async (_, bytes, reason) => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    line.socket.write(bytes)
    const error = readError(await line.next())
    expect(error).toMatchObject({ severity: 'FATAL', sqlstate: '08P01', message: expect.stringContaining(reason) })
    await world.sessions[0]!.closed
    await isServed(world)
  })

  test('survives or ends on any bytes, and the gateway lives', async () => {
    const world = await startGatewayForTest()
    const types = fc.constantFrom(...Object.keys(clientMessages))
    const message = fc.tuple(types, fc.uint8Array({ maxLength: 24 })).map(([t, body]) => say(t, Buffer.from(body)))
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
        const line = await dial(world.connection)
        const [session] = world.sessions.slice(-1)
        line.socket.end(Buffer.concat(messages))
        line.socket.resume()
        await session!.closed
      }),
      { numRuns: 25 },
    )
    await isServed(world)
  })

  test('whose client does not read holds little, and goes on when it does', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    const before = process.memoryUsage().arrayBuffers
    line.send(words.query("select repeat('x', 1000) from generate_series(1, 200000)"))
    await isServed(world)
    await isServed(world)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
    let rows = 0
    for (;;) {
      const { type } = await line.next()
      if (type === 'D') rows++
      if (type === 'Z') break
    }
    expect(rows).toBe(200_000)
  })
})
