/** One socket's writing side: neighbouring bytes go out as one piece, and several pieces in one system call. */

import type { Socket } from 'node:net'
import { directWrites, type DirectWrites } from './direct-writes.ts'

export type Outlet = {
  /** Bytes that lie in a buffer; kept as they are, and not copied. */
  readonly pass: (buffer: Buffer, start: number, end: number) => void
  /** Bytes of our own. */
  readonly say: (bytes: Buffer) => void
  /** Writes what was passed and said since the last time. */
  readonly flush: () => void
  /** Bytes that were passed are still to be written: whoever has them leaves them as they are. */
  readonly isHolding: () => boolean
  /** The other side takes less than it is sent: nothing more should be. */
  readonly isFull: () => boolean
}

class SocketOutlet implements Outlet {
  private readonly socket: Socket
  private readonly direct: DirectWrites | undefined
  private run: Buffer | undefined = undefined
  private runStart = 0
  private runEnd = 0
  /** The first piece waits for a second one, so that both can go together. */
  private first: Buffer | undefined = undefined
  private corked = false

  constructor(socket: Socket, eased: () => void) {
    this.socket = socket
    this.direct = directWrites(socket, () => {
      if (!socket.writableNeedDrain) eased()
    })
    socket.on('drain', eased)
  }

  pass(buffer: Buffer, start: number, end: number): void {
    if (buffer === this.run && start === this.runEnd) {
      this.runEnd = end
      return
    }
    this.endRun()
    this.run = buffer
    this.runStart = start
    this.runEnd = end
  }

  say(bytes: Buffer): void {
    this.endRun()
    this.put(bytes)
  }

  flush(): void {
    this.endRun()
    const { first } = this
    if (first !== undefined && this.direct?.write(first) !== true) this.socket.write(first)
    this.first = undefined
    if (this.corked) this.socket.uncork()
    this.corked = false
  }

  isHolding(): boolean {
    return this.socket.writableLength > 0 || this.direct?.isWaiting() === true
  }

  isFull(): boolean {
    return this.socket.writableNeedDrain || this.direct?.isWaiting() === true
  }

  private put(bytes: Buffer): void {
    if (this.first === undefined && !this.corked) {
      this.first = bytes
      return
    }
    if (!this.corked) {
      this.socket.cork()
      this.corked = true
    }
    if (this.first !== undefined) this.socket.write(this.first)
    this.first = undefined
    this.socket.write(bytes)
  }

  private endRun(): void {
    const { run, runStart, runEnd } = this
    if (run === undefined) return
    this.put(runStart === 0 && runEnd === run.length ? run : run.subarray(runStart, runEnd))
    this.run = undefined
  }
}

/** @param eased called when it was full, and is not any more */
export const createOutlet = (socket: Socket, eased: () => void): Outlet => new SocketOutlet(socket, eased)
