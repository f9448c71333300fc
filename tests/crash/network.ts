/** Stands between a server and what it talks to, and does to its connections what networks do. Duplicates nothing. */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

type Address = { readonly host: string; readonly port: number }

/**
 * - `open`: everything passes.
 * - `silent`: nothing passes and nobody is told; what was sent arrives when it is open again.
 * - `cut`: every connection is reset, and every new one.
 */
export type State = 'open' | 'silent' | 'cut'

export type Link = Address & {
  readonly become: (state: State) => void
  /** Each piece arrives so much later, in the same order. */
  readonly delay: (ms: number) => void
  /** The connections of now are dead for ever, and neither end is told: nothing passes, not even that an end is gone. */
  readonly forget: () => void
  /** Tells one end of each connection of now that nothing more will come. The other direction goes on. */
  readonly halfClose: (toward: 'client' | 'server') => void
  /** Those that something can still pass through. */
  readonly connections: () => number
  readonly close: () => Promise<void>
}

type Pair = { readonly client: Socket; readonly server: Socket; forgotten: boolean }

export async function openLink(upstream: Address): Promise<Link> {
  const pairs = new Set<Pair>()
  const waiting = new Set<Socket>()
  let state: State = 'open'
  let delayMs = 0

  const carry = (pair: Pair, from: Socket, to: Socket): void => {
    const lane = createLane(() => delayMs)
    const pass = (act: () => void): void => lane(() => pair.forgotten || act())
    from.on('data', (bytes: Buffer) => pass(() => to.writable && void to.write(bytes)))
    from.on('end', () => pass(() => void to.end()))
    from.on('error', () => undefined)
    from.on('close', () => pass(() => leave(pair)))
  }
  const leave = (pair: Pair): void => {
    pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
  const join = (client: Socket): void => {
    const behind = connect({ ...upstream, allowHalfOpen: true, noDelay: true })
    const pair: Pair = { client, server: behind, forgotten: false }
    pairs.add(pair)
    carry(pair, client, behind)
    carry(pair, behind, client)
    client.resume()
  }
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => undefined)
    if (state === 'cut') client.resetAndDestroy()
    else if (state === 'open') join(client)
    else waiting.add(client)
  })
  const alive = (): Pair[] => [...pairs].filter(({ forgotten }) => !forgotten)
  const reset = (broken: Iterable<Pair>): void => {
    for (const pair of broken) {
      pairs.delete(pair)
      for (const end of [pair.client, pair.server]) end.resetAndDestroy()
    }
    for (const client of waiting) client.resetAndDestroy()
    waiting.clear()
  }
  const become: Record<State, () => void> = {
    cut: () => reset(alive()),
    silent: () => alive().forEach((pair) => [pair.client, pair.server].forEach((end) => end.pause())),
    open() {
      for (const pair of alive()) for (const end of [pair.client, pair.server]) end.resume()
      for (const client of waiting) if (!client.destroyed) join(client)
      waiting.clear()
    },
  }

  return {
    host: '127.0.0.1',
    port: await listen(server),
    become(next) {
      state = next
      become[next]()
    },
    delay: (ms) => void (delayMs = ms),
    forget: () => alive().forEach((pair) => (pair.forgotten = true)),
    halfClose: (toward) => alive().forEach((pair) => pair[toward].end()),
    connections: () => alive().length,
    async close() {
      reset(pairs)
      server.close()
      await once(server, 'close')
    },
  }
}

/** One direction of a connection: what goes in comes out later, and never past what went in before. */
function createLane(delayMs: () => number): (act: () => void) => void {
  const queue: { readonly at: number; readonly act: () => void }[] = []
  const drain = (): void => {
    const now = performance.now()
    while (queue[0] && queue[0].at <= now) queue.shift()?.act()
    if (queue[0]) setTimeout(drain, queue[0].at - now)
  }
  return (act) => {
    queue.push({ at: performance.now() + delayMs(), act })
    if (queue.length === 1) drain()
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
