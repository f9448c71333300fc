import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../../tests/support/clients.ts'
import { startGatewayForTest } from '../testing/gateway.ts'
import { dial, words } from '../testing/wire.ts'
import { readAccepted } from './accepted-reads.ts'
import { createReads } from './reads.ts'

/** One that a server has accepted, and the other end of it. */
async function accept(): Promise<{ peer: Socket; socket: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = (await once(server, 'connection')) as [Socket]
  for (const end of [peer, socket]) onTestFinished(() => void end.destroy())
  return { peer, socket }
}

const read = (socket: Socket): boolean => readAccepted(socket, createReads(() => socket, 4_096).onread)

test('an accepted socket reads into memory that is used again', async () => {
  const { peer, socket } = await accept()
  const reads = createReads(() => socket, 4_096)
  expect(readAccepted(socket, reads.onread)).toBe(true)
  const heard: { text: string; memory: ArrayBufferLike }[] = []
  let told = (): void => undefined
  reads.listen({
    hear(chunk) {
      heard.push({ text: String(chunk), memory: chunk.buffer })
      told()
    },
    needsThem: () => false,
    isIdle: () => false,
  })
  socket.resume()
  for (const text of ['one', 'two', 'six']) {
    const next = new Promise<void>((resolve) => (told = resolve))
    peer.write(text)
    await next
  }
  expect(heard.map(({ text }) => text)).toEqual(['one', 'two', 'six'])
  expect(new Set(heard.map(({ memory }) => memory)).size).toBe(1)
})

test('what came before, the end, and a connection that is reset are told as ever', async () => {
  const { peer, socket } = await accept()
  peer.write('early')
  await once(socket, 'readable')
  expect(read(socket)).toBe(true)
  peer.end('later')
  let said = ''
  for await (const chunk of socket) said += String(chunk)
  expect(said).toBe('earlylater')
  const other = await accept()
  expect(read(other.socket)).toBe(true)
  const failed = once(other.socket, 'error')
  other.socket.resume()
  other.peer.resetAndDestroy()
  expect(((await failed) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET')
})

type Shadow = { -readonly [K in PropertyKey]: unknown }

/** Each is what another version of Node could be. */
const unknowns: readonly (readonly [string, (socket: Shadow) => void])[] = [
  ['a handle without the method', (socket) => ((socket['_handle'] as Shadow)['useUserBuffer'] = undefined)],
  ['a field less', (socket) => rename(socket, 'kBufferGen')],
  ['a field that is something else', (socket) => (socket[fieldOf(socket, 'kBuffer')] = [])],
]

const fieldOf = (socket: Shadow, name: string): symbol =>
  Object.getOwnPropertySymbols(socket).find(({ description }) => description === name) ?? expect.fail(name)

function rename(socket: Shadow, name: string): void {
  delete socket[fieldOf(socket, name)]
}

test.each(unknowns)('with %s nothing is touched', async (_, make) => {
  const { socket } = await accept()
  make(socket as unknown as Shadow)
  const before = Reflect.ownKeys(socket).map((key) => (socket as unknown as Shadow)[key])
  expect(read(socket)).toBe(false)
  expect(Reflect.ownKeys(socket).map((key) => (socket as unknown as Shadow)[key])).toEqual(before)
})

test('without the method of its handle a socket reads as Node has it', async () => {
  const { peer, socket } = await accept()
  unknowns[0]?.[1](socket as unknown as Shadow)
  expect(read(socket)).toBe(false)
  peer.end('said')
  let said = ''
  for await (const chunk of socket) said += String(chunk)
  expect(said).toBe('said')
})

test('what is encrypted, what reads so already, and what is closed is left alone', async () => {
  const { socket } = await accept()
  expect(read(new TLSSocket(socket, { isServer: true }))).toBe(false)
  const { socket: twice } = await accept()
  expect(read(twice)).toBe(true)
  expect(read(twice)).toBe(false)
  const { socket: closed } = await accept()
  closed.destroy()
  expect(read(closed)).toBe(false)
})

/** Reads nothing of what goes to the target until it is told to. */
async function withHold(upstream: { host: string; port: number }) {
  const sides: { socket: Socket; onward: Socket }[] = []
  const server = createServer({ noDelay: true }, (socket) => {
    const onward = connect(upstream)
    for (const side of [socket, onward]) side.on('error', () => undefined)
    socket.pipe(onward)
    onward.pipe(socket)
    sides.push({ socket, onward })
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    hold: () => sides.forEach(({ socket, onward }) => void socket.unpipe(onward).pause()),
    letGo: () => sides.forEach(({ socket, onward }) => void socket.pipe(onward)),
  }
}

test('a target that stops taking in the middle of many small chunks gets every byte in the end', async () => {
  const { database } = await startGatewayForTest()
  const { host, port } = database.connection
  const between = await withHold({ host, port })
  const world = await startGatewayForTest({ target: { host: '127.0.0.1', port: between.port } })
  const line = await dial(world.connection)
  line.send(words.query('create table lines (n int, filler text)'))
  await line.untilReady()
  line.send(words.query('copy lines from stdin'))
  expect((await line.next()).type).toBe('G')
  between.hold()
  const rows = 40_000
  const isStuck = async (from: number): Promise<number> => {
    for (let n = from; n < rows; n++) {
      const isTaken = line.socket.write(words.copyData(`${n}\t${String(n).padStart(5, '0').repeat(200)}\n`))
      await new Promise((resolve) => setImmediate(resolve))
      if (!isTaken && line.socket.writableLength > 100_000) return n + 1
    }
    return rows
  }
  const from = await isStuck(0)
  expect(from).toBeLessThan(rows)
  between.letGo()
  for (let n = from; n < rows; n++) {
    if (!line.socket.write(words.copyData(`${n}\t${String(n).padStart(5, '0').repeat(200)}\n`)))
      await once(line.socket, 'drain')
  }
  line.send(words.copyDone())
  await line.untilReady()
  await withClient(world.database.connection, async (client) => {
    const whole = `select count(*)::int as n from lines where filler = repeat(to_char(n, 'FM00000'), 200)`
    expect((await client.query(whole)).rows).toEqual([{ n: rows }])
  })
})
