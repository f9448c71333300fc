/**
 * A port on this machine that leads to a credential's host, for tools that keep one address for a connection.
 *
 * What passes is not looked at: TLS, where there is any, is between the tool and the other end, and so is the proof of
 * the password. Whoever else on this machine connects here gets no further than whoever connects there.
 */

import { createConnection, createServer } from 'node:net'
import type { AddressInfo, NetConnectOpts, Socket } from 'node:net'
import { Failure } from '../failure.ts'
import { errorCode } from '../private-file.ts'
import type { Credential } from './open.ts'

type Destination = Pick<Credential, 'host' | 'port'>

export type Listener = {
  readonly host: string
  readonly port: number
  /** From here on. Whoever connects before is cut off. */
  readonly leadTo: (credential: Destination) => void
  /** Cuts what passes. */
  readonly close: () => Promise<void>
}

/** @param wanted 0: any that is free */
export async function openListener(wanted: number): Promise<Listener> {
  const open = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    open.add(socket)
    return socket.on('close', () => open.delete(socket))
  }
  let destination: NetConnectOpts | undefined
  const server = createServer((near) => {
    if (destination === undefined) near.destroy()
    else join(keep(near), keep(createConnection(destination)))
  })
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error) => reject(cannotListen(error, wanted)))
    server.listen({ host: loopback, port: wanted }, resolve)
  })
  return {
    host: loopback,
    port: (server.address() as AddressInfo).port,
    leadTo: (credential) => void (destination = addressOf(credential)),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

const loopback = '127.0.0.1'

/** A host that begins with / is a folder with PostgreSQL's socket in it, as libpq has it. */
const addressOf = ({ host, port }: Destination): NetConnectOpts =>
  host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }

/** One that ends takes the other with it, once what it sent has gone through. */
function join(near: Socket, far: Socket): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.setNoDelay(true)
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => to.destroySoon())
  }
}

function cannotListen(error: Error, port: number): Failure {
  const why = errorCode(error) === 'EADDRINUSE' ? 'it is in use' : (errorCode(error) ?? 'unknown')
  return new Failure('usage', `Port ${port} of this machine cannot be listened on: ${why}.`, {
    remedy: 'Choose another with --port, or 0 for any that is free.',
  })
}
