/**
 * What either side says, read into memory that is used again. A stream makes memory for each chunk, and the collector
 * takes it away: for a short message that is more work than the message.
 */

import type { OnReadOpts, Socket } from 'node:net'
import { postgresLimits as limits } from '../limits.ts'
import { readDirectly, type Reader } from './direct-reads.ts'

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

class MemoryReads implements Reads, Reader {
  readonly onread: OnReadOpts
  private readonly stream: () => Socket
  private readonly leastBytes: number
  private room: Buffer | undefined = undefined
  private listener: Listener | undefined = undefined
  /** The first bytes of the memory there is, as chunks: of lengths that come again and again, each is made once. */
  private readonly chunks = new Map<number, Buffer>()
  private lastChunk = nothing

  constructor(stream: () => Socket, leastBytes: number) {
    this.stream = stream
    this.leastBytes = leastBytes
    this.onread = {
      buffer: () => this.memory(),
      // A stream that has enough stops reading.
      callback: (sizeBytes) =>
        this.take(stream(), sizeBytes) || stream().push(Buffer.from(this.memory().subarray(0, sizeBytes))),
    }
  }

  memory(): Buffer {
    return (this.room ??= Buffer.allocUnsafeSlow(this.leastBytes))
  }

  /** False: it is for the stream, which keeps what nobody has asked for, or asks for now. */
  take(socket: Socket, sizeBytes: number): boolean {
    const { listener } = this
    if (listener === undefined || socket.isPaused() || socket.readableLength > 0) return false
    const room = this.memory()
    listener.hear(this.chunkOf(room, sizeBytes))
    const wanted = listener.isIdle(sizeBytes) ? this.leastBytes : roomAfter(sizeBytes, room.length)
    if (wanted !== room.length || listener.needsThem()) {
      this.room = Buffer.allocUnsafeSlow(wanted)
      this.chunks.clear()
      this.lastChunk = nothing
    }
    return true
  }

  listen(listener: Listener): void {
    this.listener = listener
    // Nothing was read into memory of ours where the socket would not have it.
    if (this.room !== undefined) readDirectly(this.stream(), this)
  }

  private chunkOf(memory: Buffer, length: number): Buffer {
    if (this.lastChunk.length === length) return this.lastChunk
    const chunk = this.chunks.get(length) ?? memory.subarray(0, length)
    if (this.chunks.size < chunksMost) this.chunks.set(length, chunk)
    this.lastChunk = chunk
    return chunk
  }
}

const chunksMost = 8
const nothing: Buffer = Buffer.alloc(0)

/** @param leastBytes are held for it while little is said */
export const createReads = (stream: () => Socket, leastBytes: number): Reads => new MemoryReads(stream, leastBytes)

/** Who fills what there is has more to say than that. */
const roomAfter = (sizeBytes: number, room: number): number =>
  sizeBytes < room ? room : Math.min(limits.readMostBytes, 4 * room)
