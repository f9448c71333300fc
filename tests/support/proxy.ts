import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

type Address = { readonly host: string; readonly port: number }

/** Stands in front of a server, and does to its connections what networks do. */
export type Proxy = Address & {
  /** Breaks every connection, and every new one, until mended. What was held never arrives. */
  readonly cut: () => void
  /** Lets connections be again, and passes on what was held. */
  readonly mend: () => void
  /** Holds the connection whose client sends this text next, that text included. Resolves when it does so. */
  readonly holdRequest: (text: string) => Promise<void>
  /** Passes this text on, and holds the connection from its answer on. Resolves when the answer is there. */
  readonly holdAnswer: (text: string) => Promise<void>
  /** How often a client, on any connection, has said something after it had been answered: what it waited for. */
  readonly trips: () => number
  readonly close: () => Promise<void>
}

type Link = {
  readonly client: Socket
  readonly server: Socket
  /** Not passed on yet, in the order in which it came. */
  readonly held: { readonly to: Socket; readonly bytes: Buffer }[]
  holding: boolean
  holdsNextAnswer: boolean
  isAnswered: boolean
}

type Trap = { readonly text: string; readonly side: 'request' | 'answer'; readonly sprung: () => void }

export async function startProxyForTest(upstream: Address): Promise<Proxy> {
  const proxy = await startProxy(upstream)
  onTestFinished(() => proxy.close())
  return proxy
}

export async function startProxy(upstream: Address): Promise<Proxy> {
  const links = new Set<Link>()
  const traps: Trap[] = []
  let broken = false
  let trips = 0

  const server = createServer((client) => {
    client.on('error', () => undefined)
    if (broken) client.resetAndDestroy()
    else join(client)
  })

  const join = (client: Socket): void => {
    const link: Link = {
      client,
      server: connect(upstream.port, upstream.host),
      held: [],
      holding: false,
      holdsNextAnswer: false,
      isAnswered: true,
    }
    links.add(link)
    client.on('data', (bytes: Buffer) => fromClient(link, bytes))
    link.server.on('data', (bytes: Buffer) => fromServer(link, bytes))
    const over = (): void => {
      links.delete(link)
      client.destroy()
      link.server.destroy()
    }
    link.server.on('error', over)
    for (const socket of [client, link.server]) socket.on('close', over)
  }

  const fromClient = (link: Link, bytes: Buffer): void => {
    if (link.isAnswered) trips += 1
    link.isAnswered = false
    const index = traps.findIndex(({ text }) => bytes.includes(text))
    const trap = traps[index]
    if (trap?.side === 'request') {
      link.holding = true
      spring(index)
    } else if (trap) link.holdsNextAnswer = true
    pass(link, { to: link.server, bytes })
  }

  const fromServer = (link: Link, bytes: Buffer): void => {
    link.isAnswered = true
    if (link.holdsNextAnswer) {
      link.holdsNextAnswer = false
      link.holding = true
      spring(traps.findIndex(({ side }) => side === 'answer'))
    }
    pass(link, { to: link.client, bytes })
  }

  const spring = (index: number): void => traps.splice(index, 1).forEach(({ sprung }) => sprung())
  const pass = (link: Link, piece: Link['held'][number]): void => {
    if (link.holding) link.held.push(piece)
    else piece.to.write(piece.bytes)
  }
  const setTrap = (side: Trap['side'], text: string): Promise<void> =>
    new Promise((sprung) => void traps.push({ text, side, sprung }))
  const cut = (): void => {
    broken = true
    for (const { client, server: behind } of links) {
      client.resetAndDestroy()
      behind.resetAndDestroy()
    }
  }

  return {
    host: '127.0.0.1',
    port: await listen(server),
    cut,
    mend() {
      broken = false
      for (const link of links) {
        link.holding = false
        for (const { to, bytes } of link.held.splice(0)) to.write(bytes)
      }
    },
    holdRequest: (text) => setTrap('request', text),
    holdAnswer: (text) => setTrap('answer', text),
    trips: () => trips,
    async close() {
      cut()
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
