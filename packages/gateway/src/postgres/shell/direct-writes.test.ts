import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test, vi } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { type DirectWrites, directWrites } from './direct-writes.ts'
import { createOutlet } from './outlet.ts'

type Pair = { readonly peer: Socket; readonly socket: Socket }

/** Both ends of a connection. Nothing reads at either. */
async function pair(path?: string): Promise<Pair> {
  const server: Server = createServer({ pauseOnConnect: true })
  server.listen(path === undefined ? { port: 0, host: '127.0.0.1' } : { path })
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const peer = path === undefined ? connect((server.address() as AddressInfo).port, '127.0.0.1') : connect(path)
  const [socket] = await accepted
  for (const end of [peer, socket]) {
    onTestFinished(() => void end.destroy())
    end.on('error', () => undefined)
  }
  return { peer, socket }
}

/** After Node has written once by itself, which is when it can be had. */
async function ready(relieved: () => void = () => undefined, path?: string): Promise<Pair & { direct: DirectWrites }> {
  const { peer, socket } = await pair(path)
  const direct = directWrites(socket, relieved) ?? expect.fail('the handle is not as it was')
  await new Promise<void>((resolve) => void socket.write(Buffer.from('>'), () => resolve()))
  return { peer, socket, direct }
}

const filled = (sizeBytes: number, value: number): Buffer<ArrayBuffer> => Buffer.alloc(sizeBytes, value)

/** Writes until the kernel takes no more. What was written is given back, in its order. */
function fill(direct: DirectWrites): Buffer[] {
  const written: Buffer[] = []
  while (!direct.isWaiting()) {
    const bytes = filled(64 * 1024, written.length % 251)
    expect(direct.write(bytes)).toBe(true)
    written.push(bytes)
  }
  return written
}

async function readAll(peer: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of peer as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const same = (one: Buffer, other: Buffer): void => expect(one.equals(other)).toBe(true)

test.each(['a port', 'a path'])('bytes come in their order at %s, however they were written', async (at) => {
  let relieved = 0
  const path = at === 'a path' ? join(scratchFolder(), 's') : undefined
  const { peer, socket, direct } = await ready(() => relieved++, path)
  const written: Buffer[] = [Buffer.from('>'), ...fill(direct)]
  const say = (text: string): Buffer => {
    written.push(Buffer.from(text))
    return Buffer.from(text)
  }
  // While one waits, others can be written by the handle, and each has a request of its own.
  for (let i = 0; i < 5; i++) expect(direct.write(say(`direct ${i} `))).toBe(true)
  socket.cork()
  socket.write(say('corked '))
  socket.write(say('with another '))
  // What the stream has goes first.
  expect(direct.write(Buffer.from('never'))).toBe(false)
  socket.uncork()
  socket.write(say('streamed '))
  expect(direct.write(Buffer.from('never'))).toBe(false)
  socket.end(say('last'))
  expect(direct.write(Buffer.from('never'))).toBe(false)
  same(await readAll(peer), Buffer.concat(written))
  expect({ waiting: direct.isWaiting(), relieved }).toEqual({ waiting: false, relieved: 1 })
})

test('a request that the handle still has is not given to it again, though nothing of it is left to write', async () => {
  const { peer, socket, direct } = await ready()
  // As when the kernel has taken the rest at the second try, before the callback.
  const { _handle: handle } = socket as unknown as { _handle: object }
  Object.defineProperty(handle, 'writeQueueSize', { value: 0 })
  const written: Buffer[] = [Buffer.from('>'), ...fill(direct)]
  for (let i = 0; i < 3; i++) {
    const bytes = filled(100, i)
    written.push(bytes)
    expect(direct.write(bytes)).toBe(true)
  }
  socket.end()
  same(await readAll(peer), Buffer.concat(written))
})

test('who writes and reads at once, in pieces of any size, gets each byte once', async () => {
  let go = (): void => undefined
  const { peer, socket, direct } = await ready(() => go())
  const heard = readAll(peer)
  const written: Buffer[] = [Buffer.from('>')]
  for (let i = 0; i < 3_000; i++) {
    const bytes = filled(1 + ((i * 7_919) % 90_000), i % 253)
    written.push(bytes)
    if (!direct.write(bytes)) socket.write(bytes)
    if (direct.isWaiting() && i % 3 === 0) await new Promise<void>((resolve) => (go = resolve))
  }
  socket.end()
  same(await heard, Buffer.concat(written))
})

test.each<readonly [string, (ends: Pair) => void]>([
  ['the peer resets', ({ peer }) => void peer.resetAndDestroy()],
  ['the socket is destroyed', ({ socket }) => void socket.destroy()],
  ['the socket is reset', ({ socket }) => void socket.resetAndDestroy()],
])('while writes wait and %s, it closes, and nothing more is written', async (_, end) => {
  let relieved = 0
  const { peer, socket, direct } = await ready(() => relieved++)
  fill(direct)
  expect(direct.write(Buffer.from('more'))).toBe(true)
  const closed = once(socket, 'close')
  end({ peer, socket })
  await closed
  expect({ relieved, waiting: direct.isWaiting() }).toEqual({ relieved: 0, waiting: false })
  expect(direct.write(Buffer.from('late'))).toBe(false)
})

test('what is encrypted, what is closed, and a handle without the method are left to Node', async () => {
  const [{ socket }, { socket: closed }, { peer, socket: other }] = [await pair(), await pair(), await pair()]
  expect(directWrites(new TLSSocket(socket, { isServer: true }), () => undefined)).toBeUndefined()
  closed.destroy()
  expect(directWrites(closed, () => undefined)).toBeUndefined()
  const { _handle: handle } = other as unknown as { _handle: { writeBuffer: unknown } }
  const { writeBuffer } = handle
  handle.writeBuffer = undefined
  const outlet = createOutlet(other, () => undefined)
  handle.writeBuffer = writeBuffer
  outlet.say(Buffer.from('said'))
  outlet.flush()
  other.end()
  expect(String(await readAll(peer))).toBe('said')
})

test('an outlet is full and holds while either way of writing waits, and says once that it is neither', async () => {
  let eased = (): void => undefined
  const { peer, socket } = await ready()
  const outlet = createOutlet(socket, () => eased())
  const written: Buffer[] = [Buffer.from('>')]
  const say = (bytes: Buffer): void => {
    written.push(bytes)
    outlet.say(bytes)
  }
  while (!outlet.isFull()) {
    say(filled(64 * 1024, written.length % 251))
    outlet.flush()
  }
  expect(socket.writableLength).toBe(0)
  say(filled(300_000, 1))
  say(filled(300_000, 2))
  outlet.flush()
  expect({ full: outlet.isFull(), holds: outlet.isHolding(), drains: socket.writableNeedDrain }).toEqual({
    full: true,
    holds: true,
    drains: true,
  })
  const free = new Promise<void>((resolve) => {
    eased = () => {
      if (!outlet.isFull()) resolve()
    }
  })
  const heard = readAll(peer)
  await free
  expect({ full: outlet.isFull(), holds: outlet.isHolding() }).toEqual({ full: false, holds: false })
  socket.end()
  same(await heard, Buffer.concat(written))
})

test('what Node passes along is made by the class that it has, and by no other', async () => {
  vi.resetModules()
  const { directWrites: unlearned } = await import('./direct-writes.ts')
  const { socket } = await pair()
  const handle = (socket as unknown as Record<string, { writeBuffer: (request: object, bytes: Buffer) => number }>)[
    '_handle'
  ]!
  const bytes = Buffer.from('x')
  class Other {
    readonly getAsyncId = (): number => 1
  }
  const { writeBuffer } = handle
  handle.writeBuffer = () => 0
  const direct = unlearned(socket, () => undefined)!
  // In this process Node has written before, but this copy of ours has not seen it.
  expect(direct.write(bytes)).toBe(false)
  handle.writeBuffer(new Other(), bytes)
  expect(direct.write(bytes)).toBe(false)
  expect(handle.writeBuffer).toBe(writeBuffer)
})
