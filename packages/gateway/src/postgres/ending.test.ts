/** How sessions end: by time, by a hand, by either side, in whatever state they are. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { after, type Millis } from '@tidegate/core'
import { Client } from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { startProxyForTest } from '../../../../tests/support/proxy.ts'
import { systemClock } from './shell/clock.ts'
import { createTestClock } from './testing/clock.ts'
import { backendsGone, startGatewayForTest, testGrant, type TestGateway, untilAsleep } from './testing/gateway.ts'
import { cancelPacket, dial, farewell, readAll, ring, words } from './testing/wire.ts'
import { readError } from './wire/server-messages.ts'

describe('time', () => {
  test('ends a session with a reason and its grant, after one warning, and lets go of the target', async () => {
    const clock = createTestClock()
    const world = await startGatewayForTest({ ports: { clock } })
    const line = await dial(world.connection)
    clock.advance(3_600_000 - 120_000)
    const warning = await line.next()
    expect(warning.buffer.toString()).toContain(`To stay longer: tidegate extend ${testGrant} --for 30m`)
    expect(readError(warning)).toEqual({
      severity: 'NOTICE',
      sqlstate: '00000',
      message: `access ends in 2m, at 2026-01-05T10:00:00.000Z (grant ${testGrant})`,
    })
    clock.advance(119_999)
    line.send(words.query('select 1'))
    expect(await line.types()).toBe('TDCZ')
    clock.advance(1)
    expect(await farewell(line)).toEqual({
      severity: 'FATAL',
      sqlstate: '57P01',
      message: `access has ended: its time is over (grant ${testGrant})`,
    })
    await world.sessions[0]!.closed
    expect(world.recorder().isEnded()).toBe(true)
    expect(world.gateway.sessions()).toEqual([])
    await backendsGone(world)
  })

  test('can be moved while a session is open, either way: a later end is told, and warned of again', async () => {
    const clock = createTestClock()
    const world = await startGatewayForTest({ ports: { clock } })
    const line = await dial(world.connection)
    const [session] = world.sessions
    clock.advance(3_500_000)
    expect((await line.next()).type).toBe('N')
    session!.setDeadline(after(clock.now(), 600_000 as Millis))
    expect(readError(await line.next())?.message).toBe(
      `access was extended: it ends at 2026-01-05T10:08:20.000Z (grant ${testGrant})`,
    )
    clock.advance(479_999)
    line.send(words.query('select 1'))
    expect(await line.types()).toBe('TDCZ')
    clock.advance(1)
    expect((await line.next()).type).toBe('N')
    session!.setDeadline(clock.now())
    expect((await farewell(line))?.sqlstate).toBe('57P01')
  })

  test('that is over when the session opens ends it', async () => {
    const world = await startGatewayForTest({ admission: { deadline: systemClock.now() } })
    const line = await dial(world.connection)
    expect((await farewell(line))?.message).toContain('its time is over')
  })

  test('further away than a timer can say does not come at once', async () => {
    const deadline = after(systemClock.now(), (365 * 86_400_000) as Millis)
    const world = await startGatewayForTest({ admission: { deadline } })
    const line = await dial(world.connection)
    line.send(words.query('select 1'))
    expect(await line.types()).toBe('TDCZ')
    expect(world.gateway.sessions()).toHaveLength(1)
  })
})

describe('a hand', () => {
  test('ends what is queued behind a statement that runs, without its being begun', async () => {
    const world = await startGatewayForTest()
    await withClient(world.database.connection, (client) => client.query('create table t (a int)'))
    const line = await dial(world.connection)
    line.send(words.query('select pg_sleep(60)'), words.query('insert into t values (1)'))
    await once(world.recorder().recorded, 'statement')
    await world.gateway.end('ses_1', 'access was revoked')
    await backendsGone(world)
    const rows = await withClient(world.database.connection, (client) => client.query('select * from t'))
    expect(rows.rows).toEqual([])
  })

  test('ends a session whose client does not read', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    line.socket.pause()
    line.send(words.query("select repeat('x', 1000000) from generate_series(1, 100)"))
    await once(world.recorder().recorded, 'statement')
    await world.gateway.end('ses_1', 'access was revoked')
    await backendsGone(world)
  })

  test('ends one session and not its neighbours', async () => {
    const world = await startGatewayForTest()
    const [one, other] = [await dial(world.connection), await dial(world.connection)]
    expect(await world.gateway.end('ses_1', 'done')).toBe(true)
    expect(await world.gateway.end('ses_1', 'done')).toBe(false)
    expect((await farewell(one))?.message).toContain('done')
    other.send(words.query('select 1'))
    expect(await other.types()).toBe('TDCZ')
  })
})

type Cancels = { open: number; most: number; lost: number }

/** Passes a target on, and sees what comes to it: in `happened`, that a session is let go of. It loses the first cancels. */
async function watched(
  happened: string[],
  lost = 0,
): Promise<{ port: number; upstream: { port: number; host: string }; cancels: Cancels }> {
  const upstream = { host: '', port: 0 }
  const cancels = { open: 0, most: 0, lost }
  const server = createServer((socket) => {
    let isCancel = false
    socket
      .on('error', () => undefined)
      .on('close', () => {
        if (isCancel) cancels.open -= 1
        else happened.push('a target is let go of')
      })
    socket.once('data', (first) => {
      isCancel = first.length >= 8 && first.readInt32BE(4) === 80_877_102
      if (isCancel) cancels.most = Math.max(cancels.most, (cancels.open += 1))
      if (isCancel && cancels.lost-- > 0) return
      const onward = connect(upstream.port, upstream.host)
      onward.on('error', () => undefined).on('close', () => socket.destroy())
      socket.on('close', () => onward.destroy())
      onward.write(first)
      socket.pipe(onward).pipe(socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, upstream, cancels }
}

describe('many at once', () => {
  test('are all told why before any of their targets is let go of, and these are seen to a few at a time', async () => {
    const happened: string[] = []
    const between = await watched(happened)
    const world = await startGatewayForTest({ target: { host: '127.0.0.1', port: between.port } })
    Object.assign(between.upstream, { host: world.database.connection.host, port: world.database.connection.port })
    const lines = await Promise.all(Array.from({ length: 30 }, () => dial(world.connection)))
    for (const line of lines) line.send(words.query('select pg_sleep(60)'))
    await untilAsleep(world, lines.length)
    const told = lines.map(async (line) => {
      await farewell(line)
      happened.push('a client is told')
    })
    await world.gateway.endGrant(testGrant, 'access was revoked')
    await Promise.all(told)
    await backendsGone(world)
    expect(happened.slice(0, lines.length)).toEqual(lines.map(() => 'a client is told'))
    expect(between.cancels.most).toBeGreaterThan(0)
    // One, and another only where the first takes its time.
    expect(between.cancels.most).toBeLessThan(lines.length / 3)
  })

  test('do not wait for one another for long where the target does not answer', async () => {
    const lost = 4
    const between = await watched([], lost)
    const world = await startGatewayForTest({ target: { host: '127.0.0.1', port: between.port } })
    Object.assign(between.upstream, { host: world.database.connection.host, port: world.database.connection.port })
    const lines = await Promise.all(Array.from({ length: 2 * lost }, () => dial(world.connection)))
    for (const line of lines) line.send(words.query('select pg_sleep(600)'))
    await untilAsleep(world, lines.length)
    await world.gateway.endGrant(testGrant, 'access was revoked')
    // Those whose first was lost when each is cancelled once more.
    await backendsGone(world)
  })
})

describe('either side', () => {
  test('a client that says goodbye is not told anything', async () => {
    const world = await startGatewayForTest()
    const { socket } = await dial(world.connection)
    socket.write(words.terminate())
    expect((await readAll(socket)).toString()).toBe('')
    expect(await world.sessions[0]!.closed).toBe('the client left')
    await backendsGone(world)
  })

  test('a client that vanishes takes what it runs with it', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    line.send(words.query('select pg_sleep(60)'))
    await once(world.recorder().recorded, 'statement')
    line.socket.destroy()
    expect(await world.sessions[0]!.closed).toBe('the client closed the connection')
    await backendsGone(world)
  })

  test('a target that ends the session says so itself', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    await withClient(world.database.connection, (client) =>
      client.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      ),
    )
    expect(await farewell(line)).toMatchObject({ sqlstate: '57P01', message: expect.stringContaining('administrator') })
    await world.sessions[0]!.closed
  })

  test('a target that vanishes is reported', async () => {
    const database = await startGatewayForTest()
    const { host, port } = database.database.connection
    const proxy = await startProxyForTest({ host, port })
    const world = await startGatewayForTest({ target: { host: proxy.host, port: proxy.port } })
    const line = await dial(world.connection)
    proxy.cut()
    expect(await farewell(line)).toMatchObject({ sqlstate: '08006' })
    expect(await world.sessions[0]!.closed).toContain('the target closed the connection')
  })
})

describe('the recorder', () => {
  test('that fails ends the session, and does not where that is what policy says', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    world.recorder().fail('the disk is full')
    expect(await farewell(line)).toMatchObject({
      sqlstate: '58030',
      message: expect.stringContaining('the disk is full'),
    })
    const lax = await startGatewayForTest({ admission: { whenRecorderFails: 'go-on' } })
    const other = await dial(lax.connection)
    lax.recorder().fail('the disk is full')
    other.send(words.query('select 1'))
    expect(await other.types()).toBe('TDCZ')
  })

  test('that cannot keep up stops both sides until it can', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    const ease = world.recorder().press()
    line.send(words.query('select 1'))
    await once(world.recorder().recorded, 'statement')
    line.send(words.query('select 2'), words.query('select 3'))
    const [other] = [await dial(world.connection)]
    other.send(words.query('select 4'))
    await other.types()
    expect(world.recorders[0]!.texts()).toEqual(['select 1'])
    ease()
    expect([await line.types(), await line.types(), await line.types()]).toEqual(['TDCZ', 'TDCZ', 'TDCZ'])
  })

  test('that falls behind what comes of one statement stops the target', async () => {
    const world = await startGatewayForTest()
    const line = await dial(world.connection)
    const [statements, sizeBytes] = [60, 1_000_000]
    line.send(words.query(`select repeat('x', ${sizeBytes});`.repeat(statements)))
    // It takes whatever comes: who stops the target is not the client.
    const answered = line.untilReady()
    await once(world.recorder().recorded, 'statement')
    const ease = world.recorder().press()
    await withClient(world.database.connection, async (client) => {
      const stuck = `select 1 from pg_stat_activity where datname = current_database() and wait_event = 'ClientWrite'`
      // Twenty times in a row: one that is taken from waits for moments only.
      for (let seen = 0; seen < 20;) seen = (await client.query(stuck)).rowCount === 1 ? seen + 1 : 0
    })
    expect(line.socket.bytesRead).toBeLessThan((statements * sizeBytes) / 2)
    ease()
    await answered
    expect(line.socket.bytesRead).toBeGreaterThan(statements * sizeBytes)
  })
})

describe('a cancel request', () => {
  type Running = { readonly client: Client; readonly sleeping: Promise<unknown> }

  /** @param started that the statement has begun; by default that it sleeps in the target */
  const running = async (
    world: TestGateway,
    started: (world: TestGateway) => Promise<unknown> = untilAsleep,
  ): Promise<Running> => {
    const client = new Client(world.connection)
    client.on('error', () => undefined)
    await client.connect()
    onTestFinished(() => client.end())
    const sleeping = client.query('select pg_sleep(60)')
    sleeping.catch(() => undefined)
    await started(world)
    return { client, sleeping }
  }

  test('cancels what its own session runs, and nothing else', async () => {
    const world = await startGatewayForTest()
    const one = await running(world)
    const other = await running(world, () => untilAsleep(world, 2))
    const socket = await ring(world)
    socket.write(cancelPacket(one.client))
    await readAll(socket)
    await expect(one.sleeping).rejects.toMatchObject({ code: '57014' })
    expect(world.recorders[0]!.of('cancel')).toMatchObject([{ statement: 1 }])
    expect(world.recorders[1]!.of('cancel')).toEqual([])
    expect((await one.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    const again = await ring(world)
    again.write(cancelPacket(other.client))
    await expect(other.sleeping).rejects.toMatchObject({ code: '57014' })
  })

  test('with another key does nothing', async () => {
    const world = await startGatewayForTest()
    const { client, sleeping } = await running(world)
    const wrong = cancelPacket(client)
    wrong[15]! ^= 1
    const socket = await ring(world)
    socket.write(wrong)
    await readAll(socket)
    expect(world.recorder().of('cancel')).toEqual([])
    const right = await ring(world)
    right.write(cancelPacket(client))
    await expect(sleeping).rejects.toMatchObject({ code: '57014' })
  })

  test('is the waiting client’s way to give up an approval', async () => {
    const judge = () => ({ ruling: 'ask', rule: 'r', message: 'm', uses: [] }) as const
    const approve = (): Promise<never> => new Promise(() => undefined)
    const world = await startGatewayForTest({ admission: { guard: { judge }, approve } })
    const { client, sleeping } = await running(world, () => once(world.recorder().recorded, 'statement'))
    const socket = await ring(world)
    socket.write(cancelPacket(client))
    await expect(sleeping).rejects.toMatchObject({ code: '57014' })
  })
})
