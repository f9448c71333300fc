/** Reads the body of one message. Never past its end: what is not there reads as a failure, which the caller asks for once. */

export type Reader = {
  readonly byte: () => number
  readonly int32: () => number
  /** Up to the next zero byte, as UTF-8. */
  readonly text: () => string
  readonly bytes: (count: number) => Buffer
  readonly rest: () => Buffer
  readonly left: () => number
  /** Everything was there, and nothing is left over. */
  readonly isDone: () => boolean
  /** Everything so far was there. */
  readonly isSound: () => boolean
}

const nothing = Buffer.alloc(0)

export function createReader(buffer: Buffer, start: number, end: number): Reader {
  let at = start
  let sound = true

  const take = (count: number): number => {
    const from = at
    if (!sound || count < 0 || count > end - at) {
      sound = false
      return -1
    }
    at += count
    return from
  }

  const bytes = (count: number): Buffer => {
    const from = take(count)
    return from < 0 ? nothing : buffer.subarray(from, from + count)
  }

  return {
    byte() {
      const from = take(1)
      return from < 0 ? 0 : (buffer[from] ?? 0)
    },
    int32() {
      const from = take(4)
      return from < 0 ? 0 : buffer.readInt32BE(from)
    },
    text() {
      const zero = buffer.indexOf(0, at)
      const from = zero < 0 || zero >= end ? take(-1) : take(zero + 1 - at)
      return from < 0 ? '' : buffer.toString('utf8', from, at - 1)
    },
    bytes,
    rest: () => bytes(end - at),
    left: () => end - at,
    isDone: () => sound && at === end,
    isSound: () => sound,
  }
}
