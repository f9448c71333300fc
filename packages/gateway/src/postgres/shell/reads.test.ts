import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { startGatewayForTest } from '../testing/gateway.ts'
import { readFrom } from '../testing/reading-socket.ts'
import { dial, words } from '../testing/wire.ts'
import type { Listener } from './reads.ts'

/** What is heard of each of these, said one after the other. */
async function heardOf(texts: readonly string[], needs: Pick<Listener, 'needsThem' | 'isIdle'>): Promise<Buffer[]> {
  const { peer, socket, reads } = await readFrom()
  const heard: Buffer[] = []
  let told = (): void => undefined
  reads.listen({
    ...needs,
    hear(chunk) {
      heard.push(chunk)
      told()
    },
  })
  socket.resume()
  for (const text of texts) {
    const next = new Promise<void>((resolve) => (told = resolve))
    peer.write(text)
    await next
  }
  return heard
}

const memoryOf = (chunks: readonly Buffer[]): number => new Set(chunks.map(({ buffer }) => buffer)).size

test('memory is used again once nobody needs what was in it, and left alone before', async () => {
  const texts = ['one', 'two', 'six']
  const kept = await heardOf(texts, { needsThem: () => true, isIdle: () => false })
  expect(kept.map(String)).toEqual(texts)
  expect(memoryOf(kept)).toBe(3)
  const done = await heardOf(texts, { needsThem: () => false, isIdle: () => false })
  expect(memoryOf(done)).toBe(1)
})

test('there is more memory for who has more to say, and as little as before once that is over', async () => {
  const long = 'x'.repeat(4_096)
  const rooms = (chunks: readonly Buffer[]): number[] => chunks.map(({ buffer }) => buffer.byteLength)
  expect(rooms(await heardOf([long, 'a', 'b'], { needsThem: () => false, isIdle: () => false }))).toEqual([
    4_096, 16_384, 16_384,
  ])
  expect(rooms(await heardOf([long, 'a'], { needsThem: () => false, isIdle: () => true }))).toEqual([4_096, 4_096])
})

test('what comes before anybody listens is in the stream', async () => {
  const { peer, socket } = await readFrom()
  peer.write('early')
  await once(socket, 'readable')
  peer.end('later')
  let said = ''
  for await (const chunk of socket) said += String(chunk)
  expect(said).toBe('earlylater')
})

type Pieces = { readonly port: number; readonly stuck: Promise<void> }

/**
 * A target that says everything in small pieces, so that what is read for one is used again for the next. Stuck: it has
 * more to say than is taken from it.
 */
async function inPieces(upstream: { host: string; port: number }): Promise<Pieces> {
  let isStuck = (): void => undefined
  const stuck = new Promise<void>((resolve) => (isStuck = resolve))
  const pass = async (from: Socket, to: Socket): Promise<void> => {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += 1_000) {
        const isTaken = to.write(chunk.subarray(at, at + 1_000))
        if (!isTaken) isStuck()
        if (!isTaken) await once(to, 'drain')
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }
  const server = createServer({ noDelay: true }, (socket) => {
    const onward = connect(upstream)
    for (const side of [socket, onward]) side.on('error', () => undefined)
    socket.pipe(onward)
    pass(onward, socket).catch(() => socket.destroy())
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, stuck }
}

test('a client that stops reading in the middle of many small chunks gets every byte in the end', async () => {
  const direct = await startGatewayForTest()
  const { host, port } = direct.database.connection
  const between = await inPieces({ host, port })
  const world = await startGatewayForTest({ target: { host: '127.0.0.1', port: between.port } })
  const line = await dial(world.connection)
  const rows = 40_000
  line.send(words.query(`select repeat(to_char(n, 'FM00000 '), 160) from generate_series(1, ${rows}) as n`))
  await between.stuck
  let whole = 0
  for (;;) {
    const { type, buffer } = await line.next()
    if (type === 'D' && buffer.toString('latin1', 11) === `${String(whole + 1).padStart(5, '0')} `.repeat(160)) whole++
    if (type === 'Z') break
  }
  expect(whole).toBe(rows)
})
