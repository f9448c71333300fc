/** Reads a connection packet by packet while it logs in. Afterwards it is a stream, and a framer's. */

import type { Socket } from 'node:net'
import type { Frame } from '../wire/client-messages.ts'

export type Packets = {
  /** Exactly so many bytes. */
  readonly bytes: (count: number) => Promise<Buffer>
  /** One without a type, its length first and included. @throws HandshakeError when it is longer */
  readonly untyped: (longest: number) => Promise<Buffer>
  readonly message: (longest: number) => Promise<TypedFrame>
  /** Bytes that are there already, and that nobody has asked for. */
  readonly isAhead: () => boolean
}

export type TypedFrame = Frame & { readonly type: string }

/** The handshake cannot go on. The message is for whoever runs the gateway, not for the other side. */
export class HandshakeError extends Error {
  override readonly name: string = 'HandshakeError'
}

/** At most one read at a time. */
export function packetsOf(socket: Socket): Packets {
  const waitFor = (count: number): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      // Listens until it is done: a stream that holds some bytes says so to each new listener, at once and again.
      const attempt = (): void => {
        const found = socket.read(count) as Buffer | null
        // At the end of the stream, Node hands out what there is.
        const isOver = found !== null || socket.destroyed || socket.readableEnded
        if (!isOver) return
        for (const sign of signs) socket.off(sign, attempt)
        if (found?.length === count) resolve(found)
        else reject(new HandshakeError('the connection closed'))
      }
      for (const sign of signs) socket.on(sign, attempt)
      attempt()
    })
  /** What has come already, and most of a login comes in one piece, is there without listening for it. */
  const bytes = async (count: number): Promise<Buffer> => {
    const found = socket.readableLength < count ? null : (socket.read(count) as Buffer | null)
    return found ?? waitFor(count)
  }
  return {
    bytes,
    async untyped(longest) {
      const head = await bytes(4)
      const length = head.readInt32BE(0)
      if (length < 8 || length > longest) throw new HandshakeError(`a packet of ${length} bytes`)
      return Buffer.concat([head, await bytes(length - 4)])
    },
    async message(longest) {
      const head = await bytes(5)
      const length = head.readInt32BE(1)
      if (length < 4 || length > longest) throw new HandshakeError(`a message of ${length} bytes`)
      const body = length > 4 ? await bytes(length - 4) : Buffer.alloc(0)
      const buffer = Buffer.concat([head, body])
      return { type: String.fromCharCode(head[0] ?? 0), buffer, start: 0, end: buffer.length }
    },
    isAhead: () => socket.readableLength > 0,
  }
}

const signs = ['readable', 'end', 'close', 'error'] as const
