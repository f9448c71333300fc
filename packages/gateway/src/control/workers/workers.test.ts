/** A gateway of several processes: real ones, with real sockets and a real PostgreSQL behind them. */

import { readdirSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../../tests/support/clients.ts'
import { readRecording } from '../../recording/read/read-recording.ts'
import { recordingFolder } from '../../recording/format/place.ts'
import { verifyRecording } from '../../recording/read/verify.ts'
import { isNameOf } from '../../share.ts'
import { sessionLimits } from '../../postgres/shell/ports.ts'
import { sslRequest } from '../../postgres/wire/write.ts'
import { startGateway } from '../gateway.ts'
import { controlLimits as limits } from '../limits.ts'
import { pause } from '../retry.ts'
import {
  connectTo,
  connectionTo,
  createWorldForTest,
  folderForTest,
  type TestClient,
  type World,
} from '../testing/world.ts'
import { startPlaneForTest } from '../testing/plane.ts'

const workers = 2
const shares = [0, 1].map((worker) => ({ worker, of: workers }))

/** Each is dealt to the next worker. */
async function comeIn(world: World, count: number): Promise<readonly TestClient[]> {
  const clients: TestClient[] = []
  for (let i = 0; i < count; i++) clients.push(await world.connect())
  return clients
}

const opened = ({ plane }: World) => plane.reports.filter((report) => report.what === 'opened')
const ended = ({ plane }: World) => plane.reports.filter((report) => report.what === 'ended')

test('deals connections out, and each worker has sessions of its own', async () => {
  const world = await createWorldForTest({ workers })
  const clients = await comeIn(world, 4)
  for (const client of clients) expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await expect.poll(() => opened(world).length).toBe(4)
  for (const share of shares) {
    expect(opened(world).filter(({ session }) => isNameOf(share, session))).toHaveLength(2)
  }
  expect(world.plane.calls.filter((call) => call === 'enrolGateway')).toHaveLength(1)
})

test('ends the sessions of a grant at all of them, and one that is to end at the one that has it', async () => {
  const world = await createWorldForTest({ workers })
  const clients = await comeIn(world, 4)
  await expect.poll(() => opened(world).length).toBe(4)
  const [first] = opened(world)
  world.plane.kill(first!.session, 'ended by user:dora')
  await expect.poll(() => ended(world).length).toBe(1)
  expect(ended(world)[0]).toMatchObject({ session: first!.session, reason: expect.stringContaining('by user:dora') })
  world.plane.end(world.grant.grant, 'access was revoked by user:dora')
  const reasons = await Promise.all(clients.map((client) => client.ended))
  expect(reasons.filter((reason) => reason.includes('access was revoked by user:dora'))).toHaveLength(3)
  await expect.poll(() => ended(world).length).toBe(4)
  await expect(world.connect()).rejects.toMatchObject({ code: '28P01' })
})

test('takes a request to cancel wherever it comes in, for the one session whose key it has', async () => {
  const world = await createWorldForTest({ workers })
  const clients = await comeIn(world, 4)
  for (const client of clients) {
    const sleeping = Promise.all(clients.map((one) => one.query('select pg_sleep(60)').then(() => 'slept', codeOf)))
    // Until each of them is asleep at the target.
    await asleep(world, clients.length)
    for (const one of clients) if (one !== client) await cancel(world, one, Buffer.alloc(4, 7))
    await cancel(world, client)
    await asleep(world, clients.length - 1)
    for (const one of clients) if (one !== client) await cancel(world, one)
    expect(await sleeping).toEqual(clients.map(() => '57014'))
  }
})

test('goes on without a worker that was killed, tells what became of its sessions, and has another', async () => {
  const world = await createWorldForTest({ workers })
  const clients = await comeIn(world, 4)
  for (const client of clients) await client.query('select 1')
  await expect.poll(() => opened(world).length).toBe(4)
  const lostOnes = Promise.all([clients[1]!.ended, clients[3]!.ended])
  process.kill(workerProcesses()[1]!, 'SIGKILL')
  await lostOnes
  for (const client of [clients[0]!, clients[2]!]) await client.query('select 2')
  await expect.poll(() => ended(world).length).toBe(2)
  for (const { session, reason } of ended(world)) {
    expect(isNameOf(shares[1]!, session)).toBe(true)
    expect(reason).toBe('the gateway stopped before the session had ended')
  }
  await expect.poll(() => world.logged.some((line) => line.startsWith('worker-started'))).toBe(true)
  const others = await comeIn(world, 2)
  for (const client of others) await client.query('select 3')
  await expect.poll(() => opened(world).filter(({ session }) => isNameOf(shares[1]!, session)).length).toBe(5)
})

test('passes over a worker that stands still', async () => {
  const world = await createWorldForTest({ workers })
  const [, still] = workerProcesses()
  process.kill(still!, 'SIGSTOP')
  onTestFinished(() => void process.kill(still!, 'SIGCONT'))
  const came: Promise<unknown>[] = []
  const answered = async (): Promise<boolean> => {
    const coming = world.connect().then((client) => client.query('select 1'))
    came.push(coming)
    return Promise.race([coming.then(() => true), pause(limits.workerStuckMs, new AbortController().signal)]).then(
      Boolean,
    )
  }
  let inARow = 0
  while (inARow < 4) inARow = (await answered()) ? inARow + 1 : 0
  expect(came.length).toBeLessThan(12)
  process.kill(still!, 'SIGCONT')
  await Promise.all(came)
})

test('leaves nobody waiting whom a worker was to be given that has ended', async () => {
  const world = await createWorldForTest({ workers })
  const [, still] = workerProcesses()
  process.kill(still!, 'SIGSTOP')
  const asking = Array.from({ length: 12 }, () => connect(world.gateway.port, world.gateway.host))
  const waiting = new Set(asking)
  for (const socket of asking) {
    socket.on('error', () => undefined).on('close', () => waiting.delete(socket))
    socket.on('data', () => waiting.delete(socket)).write(sslRequest())
  }
  // They are dealt in turn: but for one, all have been handed on by then.
  await expect.poll(() => waiting.size).toBe(asking.length / 2)
  process.kill(still!, 'SIGKILL')
  // Not by the deadline that each of them has.
  await expect.poll(() => waiting.size, { timeout: sessionLimits.handshakeMs / 2 }).toBe(0)
  for (const socket of asking) socket.destroy()
})

test('ends every session and finishes every recording when it stops', async () => {
  const world = await createWorldForTest({ workers })
  const clients = await comeIn(world, 4)
  for (const client of clients) await client.query('select 1')
  await world.gateway.stop()
  const reasons = await Promise.all(clients.map((client) => client.ended))
  expect(reasons.every((reason) => reason.includes('the gateway is stopping'))).toBe(true)
  expect(ended(world)).toHaveLength(4)
  for (const { session, at, head } of ended(world).map((end) => ({ ...end, ...whenOpened(world, end.session) }))) {
    const folder = recordingFolder(join(world.dir, 'recordings'), session, Date.parse(at) as never)
    expect(await verifyRecording(folder, { head: { session, ...head! } })).toMatchObject({ state: 'ended' })
    const events = []
    for await (const event of readRecording(folder)) events.push(event.type)
    expect(events).toContain('statement')
  }
  expect(workerProcesses()).toEqual([])
  await expect(world.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  const again = await world.startAgain()
  const client = await connectTo(connectionTo(again, world.grant))
  await client.query('select 1')
})

test('that was put out ends all sessions, and says that it cannot go on', async () => {
  const world = await createWorldForTest({ workers })
  const clients = await comeIn(world, 2)
  world.plane.putOut()
  expect(await world.gateway.lost).toContain('does not take the identity of this gateway')
  const reasons = await Promise.all(clients.map((client) => client.ended))
  for (const reason of reasons) expect(reason).toContain('put out of Tidegate')
})

test('that cannot start says why, as one process would, and leaves none behind', async () => {
  const plane = await startPlaneForTest()
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => void taken.close())
  const { port } = taken.address() as AddressInfo
  const options = { url: plane.url, workers, listen: { host: '127.0.0.1', port: 0 }, log: () => undefined }
  const start = async (wishes: object) => startGateway({ ...options, dir: await folderForTest(), ...wishes })
  await expect(start({ enrolmentToken: 'tge_wrong' })).rejects.toMatchObject({
    name: 'GatewayRefusal',
    code: 'unknown',
    remedy: expect.stringContaining('tidegate gateways new'),
  })
  const { enrolmentToken } = plane
  await expect(start({ enrolmentToken, listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({ code: 'in-use' })
  for (const wrong of [0, 65, 1.5, Number.NaN]) {
    await expect(start({ enrolmentToken, workers: wrong })).rejects.toMatchObject({
      code: 'setting',
      remedy: 'Give a whole number from 1 to 64, or leave it out for 1.',
    })
  }
  expect(workerProcesses()).toEqual([])
})

const whenOpened = (world: World, session: string): { at: string } => ({
  at: opened(world).find((one) => one.session === session)!.at,
})

/** Those that this process has started, in their order. */
const workerProcesses = (): readonly number[] =>
  readdirSync('/proc/self/task')
    .flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').trim().split(' ').map(Number))
    .filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker-main'))
    .toSorted((a, b) => a - b)

const codeOf = (error: { code?: string }): string => error.code ?? 'none'

const sleepers = `select count(*)::int as n from pg_stat_activity\n  where query like 'select pg_sleep%' and state = 'active' and pid <> pg_backend_pid()`

async function asleep({ database }: World, count: number): Promise<void> {
  await expect
    .poll(async () => {
      const { rows } = await withClient(database.connection, (client) => client.query(sleepers))
      return rows[0].n as number
    })
    .toBe(count)
}

type Keyed = { readonly processID: number; readonly secretKey: number }

/** As libpq does: on a connection of its own, until that is closed. */
async function cancel({ gateway }: World, client: unknown, key?: Buffer): Promise<void> {
  const { processID, secretKey } = client as Keyed
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(80_877_102, 4)
  request.writeInt32BE(processID, 8)
  if (key === undefined) request.writeInt32BE(secretKey, 12)
  else key.copy(request, 12)
  const socket = connect(gateway.port, gateway.host)
  socket.resume().end(request)
  await once(socket, 'close')
}
