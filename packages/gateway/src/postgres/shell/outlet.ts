/** One socket's writing side: neighbouring bytes go out as one piece, and several pieces in one system call. */

import type { Socket } from 'node:net'
import { directWrites } from './direct-writes.ts'

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

/** @param eased called when it was full, and is not any more */
export function createOutlet(socket: Socket, eased: () => void): Outlet {
  const direct = directWrites(socket, () => {
    if (!socket.writableNeedDrain) eased()
  })
  socket.on('drain', eased)
  let run: Buffer | undefined
  let runStart = 0
  let runEnd = 0
  /** The first piece waits for a second one, so that both can go together. */
  let first: Buffer | undefined
  let corked = false

  const put = (bytes: Buffer): void => {
    if (first === undefined && !corked) {
      first = bytes
      return
    }
    if (!corked) {
      socket.cork()
      corked = true
    }
    if (first !== undefined) socket.write(first)
    first = undefined
    socket.write(bytes)
  }

  const endRun = (): void => {
    if (run === undefined) return
    put(runStart === 0 && runEnd === run.length ? run : run.subarray(runStart, runEnd))
    run = undefined
  }

  return {
    pass(buffer, start, end) {
      if (buffer === run && start === runEnd) {
        runEnd = end
        return
      }
      endRun()
      run = buffer
      runStart = start
      runEnd = end
    },
    say(bytes) {
      endRun()
      put(bytes)
    },
    flush() {
      endRun()
      if (first !== undefined && direct?.write(first) !== true) socket.write(first)
      first = undefined
      if (corked) socket.uncork()
      corked = false
    },
    isHolding: () => socket.writableLength > 0 || direct?.isWaiting() === true,
    isFull: () => socket.writableNeedDrain || direct?.isWaiting() === true,
  }
}
