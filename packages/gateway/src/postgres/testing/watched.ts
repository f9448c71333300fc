/** A way to a target on which each connection is seen. */

import { EventEmitter, once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

type Place = { readonly host: string; readonly port: number }

export type Watched = Place & {
  /** Connections that came here, in their order. */
  readonly opened: readonly Socket[]
  /** The one of this number, once it is there. */
  readonly nth: (number: number) => Promise<Socket>
}

/** @param targetOf where each goes on to, asked as it comes */
export async function startWatched(targetOf: () => Place): Promise<Watched> {
  const opened: Socket[] = []
  const happened = new EventEmitter()
  const server = createServer((socket) => {
    const { host, port } = targetOf()
    const onward = connect(port, host)
    for (const side of [socket, onward]) side.on('error', () => undefined)
    socket.on('close', () => onward.destroy())
    onward.on('close', () => socket.destroy())
    socket.pipe(onward).pipe(socket)
    opened.push(socket)
    happened.emit('opened')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const nth = async (number: number): Promise<Socket> => {
    while (opened.length < number) await once(happened, 'opened')
    return opened[number - 1]!
  }
  return { host: '127.0.0.1', port, opened, nth }
}
