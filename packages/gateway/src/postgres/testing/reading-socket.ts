/** A socket that reads into memory of ours, and the other end of it. For tests only. */

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { createReads, type Reads } from '../shell/reads.ts'

export async function readFrom(): Promise<{ peer: Socket; socket: Socket; reads: Reads }> {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const reads = createReads(() => socket, 4_096)
  const socket: Socket = connect({ port, host: '127.0.0.1', onread: reads.onread })
  const [peer] = (await once(server, 'connection')) as [Socket]
  onTestFinished(() => void socket.destroy())
  return { peer, socket, reads }
}
