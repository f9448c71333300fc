/** One socket's writing side: neighbouring bytes go out as one piece, and several pieces in one system call. */

import type { Socket } from 'node:net'

export type Outlet = {
  /** Bytes that lie in a buffer; kept as they are, and not copied. */
  readonly pass: (buffer: Buffer, start: number, end: number) => void
  /** Bytes of our own. */
  readonly say: (bytes: Buffer) => void
  /** Writes what was passed and said since the last time. */
  readonly flush: () => void
}

export function createOutlet(socket: Socket): Outlet {
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
      if (first !== undefined) socket.write(first)
      first = undefined
      if (corked) socket.uncork()
      corked = false
    },
  }
}
