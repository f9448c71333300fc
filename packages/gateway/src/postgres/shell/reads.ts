/**
 * What either side says, read into memory that is used again. A stream makes memory for each chunk, and the collector
 * takes it away: for a short message that is more work than the message.
 */

import type { OnReadOpts, Socket } from 'node:net'
import { postgresLimits as limits } from '../limits.ts'

/** Whoever hears what comes, from when the session is open. */
export type Listener = {
  /** The bytes are these until it returns. */
  readonly hear: (chunk: Buffer) => void
  /** Somebody still has the bytes of the last chunk, and will write them. */
  readonly needsThem: () => boolean
  /** After a chunk of so many bytes, no more than a little is expected: as little memory as may be is held for it. */
  readonly isIdle: (sizeBytes: number) => boolean
}

export type Reads = {
  /** For the socket that is read from. Before anybody listens, and while it is paused, what comes is in its stream. */
  readonly onread: OnReadOpts
  readonly listen: (listener: Listener) => void
}

/** @param leastBytes are held for it while little is said */
export function createReads(stream: () => Socket, leastBytes: number): Reads {
  let memory: Buffer | undefined
  const current = (): Buffer => (memory ??= Buffer.allocUnsafeSlow(leastBytes))
  const chunks = createChunks()
  let listener: Listener | undefined

  return {
    onread: {
      buffer: current,
      callback(sizeBytes) {
        const room = current()
        const chunk = chunks.of(room, sizeBytes)
        const socket = stream()
        // A stream keeps what nobody has asked for, or asks for now, and stops reading when that is enough.
        if (listener === undefined || socket.isPaused() || socket.readableLength > 0) {
          return socket.push(Buffer.from(chunk))
        }
        listener.hear(chunk)
        const wanted = listener.isIdle(sizeBytes) ? leastBytes : roomAfter(sizeBytes, room.length)
        if (wanted !== room.length || listener.needsThem()) {
          memory = Buffer.allocUnsafeSlow(wanted)
          chunks.forget()
        }
        return true
      },
    },
    listen(heard) {
      listener = heard
    },
  }
}

/** Who fills what there is has more to say than that. */
const roomAfter = (sizeBytes: number, room: number): number =>
  sizeBytes < room ? room : Math.min(limits.readMostBytes, 4 * room)

/** The first bytes of the memory there is, as chunks: of lengths that come again and again, each is made once. */
function createChunks() {
  const byLength = new Map<number, Buffer>()

  const make = (memory: Buffer, length: number): Buffer => {
    const chunk = memory.subarray(0, length)
    if (byLength.size < chunksMost) byLength.set(length, chunk)
    return chunk
  }

  return {
    of: (memory: Buffer, length: number): Buffer => byLength.get(length) ?? make(memory, length),
    /** There is other memory. */
    forget: () => byLength.clear(),
  }
}

const chunksMost = 8
