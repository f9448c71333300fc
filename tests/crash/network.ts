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
    from.on('data', (bytes: Buffer) => later(() => pair.forgotten || to.destroyed || void to.write(bytes)))
    from.on('end', () => later(() => pair.forgotten || to.destroyed || void to.end()))
    from.on('error', () => undefined)
    from.on('close', () => later(() => pair.forgotten || destroy(pair)))
  }
  const later = (act: () => void): void => void (delayMs === 0 ? act() : setTimeout(act, delayMs))
  const destroy = (pair: Pair): void => {
    pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
  const join = (client: Socket): void => {
    waiting.delete(client)
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
  const ends = (): Socket[] => [...pairs].flatMap((pair) => (pair.forgotten ? [] : [pair.client, pair.server]))

  return {
    host: '127.0.0.1',
    port: await listen(server),
    become(next) {
      state = next
      if (next === 'silent') for (const end of ends()) end.pause()
      else if (next === 'open') {
        for (const end of ends()) end.resume()
        for (const client of waiting) if (!client.destroyed) join(client)
        waiting.clear()
      } else {
        for (const end of [...ends(), ...waiting]) end.resetAndDestroy()
        pairs.clear()
        waiting.clear()
      }
    },
    delay: (ms) => void (delayMs = ms),
    forget() {
      for (const pair of pairs) pair.forgotten = true
    },
    halfClose(toward) {
      for (const pair of pairs) pair[toward].end()
    },
    connections: () => pairs.size,
    async close() {
      for (const { client, server: behind } of pairs) for (const end of [client, behind]) end.resetAndDestroy()
      for (const client of waiting) client.resetAndDestroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
