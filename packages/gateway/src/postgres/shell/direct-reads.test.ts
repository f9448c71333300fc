import { once } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { withClient } from '../../../../../tests/support/clients.ts'
import { startGatewayForTest } from '../testing/gateway.ts'
import { readFrom } from '../testing/reading-socket.ts'
import { readDirectly } from './direct-reads.ts'
import type { Listener } from './reads.ts'

vi.mock('./direct-reads.ts', { spy: true })

type Heard = {
  readonly peer: Socket
  readonly socket: Socket
  readonly chunks: readonly { readonly text: string; readonly memory: ArrayBufferLike }[]
  /** Resolves with all that was heard, once that has as many bytes. */
  readonly until: (bytes: number) => Promise<string>
}

async function listenTo(needs: Partial<Pick<Listener, 'needsThem'>> = {}, beforehand?: (socket: Socket) => void) {
  const { peer, socket, reads } = await readFrom()
  beforehand?.(socket)
  const chunks: { text: string; memory: ArrayBufferLike }[] = []
  let look = (): void => undefined
  const hear = (chunk: Buffer): void => {
    chunks.push({ text: String(chunk), memory: chunk.buffer })
    look()
  }
  reads.listen({ hear, isIdle: () => false, needsThem: () => false, ...needs })
  socket.on('data', hear).resume()
  const said = (): string => chunks.map(({ text }) => text).join('')
  const until: Heard['until'] = async (bytes) => {
    while (said().length < bytes) await new Promise<void>((resolve) => (look = resolve))
    return said()
  }
  return { peer, socket, chunks, until } satisfies Heard
}

type Handle = { readonly onread: unknown; readonly bytesRead: number }

function handleOf(socket: Socket): Handle {
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle }
  return handle
}

test('what has come is heard past the stream, and the end comes through it', async () => {
  const { peer, socket, until } = await listenTo()
  const push = vi.spyOn(socket, 'push')
  for (let i = 1; i <= 100; i++) {
    peer.write(`${String(i).padStart(4)},`)
    await until(5 * i)
  }
  expect(push).not.toHaveBeenCalled()
  peer.end()
  await once(socket, 'end')
  expect(push).toHaveBeenCalledExactlyOnceWith(null)
})

test('a connection that is broken off says so', async () => {
  const { peer, socket, until } = await listenTo()
  peer.write('something')
  await until(9)
  const failed = once(socket, 'error')
  peer.resetAndDestroy()
  expect(await failed).toMatchObject([{ code: 'ECONNRESET' }])
})

test('what comes to one that is paused waits in its stream, and nothing is lost, doubled or out of order', async () => {
  const { peer, socket, until } = await listenTo()
  const numbers = Array.from({ length: 3_000 }, (_, i) => `${String(i).padStart(6)},`.repeat(40))
  const wanted = numbers.join('')
  for (const [i, text] of numbers.entries()) {
    if (!peer.write(text)) await Promise.race([once(peer, 'drain'), new Promise((resolve) => setImmediate(resolve))])
    if (i % 37 === 0) socket.pause()
    if (i % 37 === 20) socket.resume()
  }
  socket.resume()
  expect(await until(wanted.length)).toBe(wanted)
})

test('memory that somebody needs is left alone, and what comes next is read into other', async () => {
  const { peer, chunks, until } = await listenTo({ needsThem: () => true })
  for (const text of ['one', 'two', 'six']) {
    const before = chunks.length * 3
    peer.write(text)
    await until(before + 3)
  }
  expect(chunks.map(({ text }) => text)).toEqual(['one', 'two', 'six'])
  expect(new Set(chunks.map(({ memory }) => memory)).size).toBe(3)
})

test('where a handle does not say what it has read, its stream is read', async () => {
  let before: unknown
  const { peer, socket, until } = await listenTo({}, (made) => {
    Object.defineProperty(handleOf(made), 'bytesRead', { value: undefined })
    before = handleOf(made).onread
  })
  expect(handleOf(socket).onread).toBe(before)
  peer.write('all the same')
  expect(await until(12)).toBe('all the same')
})

test('both sides of a session are read so', async () => {
  const { connection } = await startGatewayForTest()
  vi.mocked(readDirectly).mockClear()
  await withClient(connection, (client) => client.query('select 1'))
  expect(readDirectly).toHaveBeenCalledTimes(2)
})
