/**
 * Two sockets and what Node has to join them: what anyone pays who stands in between in this language, for doing nothing.
 * Run as a process of its own.
 */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type Cut, obey, type Standing } from './gateway-orders.ts'

export type RelaySetup = { readonly host: string; readonly port: number }

async function start({ host, port }: RelaySetup): Promise<Standing> {
  const cuts = new Map<number, () => void>()
  const receive = (client: Socket): void => {
    const from = client.remotePort ?? 0
    const target = connect({ host, port, noDelay: true })
    const end = (): void => {
      client.destroy()
      target.destroy()
      // The port may be somebody else's by now.
      if (cuts.get(from) === end) cuts.delete(from)
    }
    for (const socket of [client, target]) socket.on('error', end).on('close', end)
    client.pipe(target)
    target.pipe(client)
    cuts.set(from, end)
  }
  const server = createServer({ noDelay: true }, receive).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = ({ ports, atEpochMs }: Cut): void => {
    for (const [i, from] of ports.entries()) {
      const end = cuts.get(from) ?? (() => undefined)
      const at = atEpochMs?.[i]
      if (at === undefined) end()
      else setTimeout(end, at - Date.now())
    }
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    async stop() {
      server.close()
      for (const end of cuts.values()) end()
      await once(server, 'close')
    },
  }
}

obey((setup) => start(setup as RelaySetup))
