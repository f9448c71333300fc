/** The three shapes that events are made of in a block: an unsigned number, bytes with their length, and a value. */

import type { Commitment } from '@tidegate/audit'
import type { RecordedValue } from '../policy.ts'

/** Written into from `offset` on. There is room: whoever writes has asked {@link roomForValue} and the like before. */
export type Sink = { buffer: Buffer; offset: number }

/** Read from `offset` up to `end`. */
export type Source = { readonly buffer: Buffer; offset: number; readonly end: number }

/** What is read was not written by a recorder of ours. */
export const malformed = (detail: string): Error => Object.assign(new Error(detail), { code: 'malformed' as const })

/** Seven bits at a time, the lowest first; all but the last byte have the eighth bit (LEB128). At most 2^53 - 1. */
export function putNumber(sink: Sink, value: number): void {
  // Whatever is not a count is none: nothing that a session says may stop its recording, or never end.
  let rest = value > 0 ? Math.min(Math.trunc(value), Number.MAX_SAFE_INTEGER) : 0
  while (rest > 127) {
    sink.buffer[sink.offset++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  sink.buffer[sink.offset++] = rest
}

export function takeNumber(source: Source): number {
  let value = 0
  let unit = 1
  for (;;) {
    const byte = takeByte(source)
    value += (byte & 127) * unit
    if (!Number.isSafeInteger(value)) throw malformed('a number is too large')
    if (byte < 128) return value
    unit *= 128
  }
}

/** Zigzag: 0, -1, 1, -2 are written as 0, 1, 2, 3. */
export const putSigned = (sink: Sink, value: number): void =>
  putNumber(sink, value < 0 ? -2 * Math.trunc(value) - 1 : 2 * Math.trunc(value))

export function takeSigned(source: Source): number {
  const value = takeNumber(source)
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

export function takeByte(source: Source): number {
  if (source.offset >= source.end) throw malformed('an event breaks off')
  return source.buffer[source.offset++] ?? 0
}

export function putByte(sink: Sink, byte: number): void {
  sink.buffer[sink.offset++] = byte
}

/** A number takes at most eight bytes. */
export const roomForNumber = 8

/** Each UTF-16 unit takes at most three bytes of UTF-8. Of a long text it is worth the while to know better. */
export const roomForText = (text: string): number =>
  roomForNumber + (text.length > longText ? Buffer.byteLength(text) : 3 * text.length)

const longText = 4_096

/** Below this, a loop over the characters is faster than a call into the runtime. */
const shortText = 48

/** Its length in bytes, and UTF-8. A lone surrogate becomes U+FFFD. */
export function putText(sink: Sink, text: string): void {
  if (text.length <= shortText && putAscii(sink, text)) return
  // Most are ASCII: written behind the length that they have then, and it is not asked for before.
  const start = sink.offset
  putNumber(sink, text.length)
  const bytes = sink.buffer.write(text, sink.offset)
  if (bytes !== text.length) {
    sink.offset = start
    putNumber(sink, bytes)
    sink.buffer.write(text, sink.offset)
  }
  sink.offset += bytes
}

/** Short ASCII, which most texts are; `false`: it is not, and nothing was written. */
function putAscii(sink: Sink, text: string): boolean {
  const { buffer, offset } = sink
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 127) return false
    buffer[offset + 1 + i] = unit
  }
  buffer[offset] = text.length
  sink.offset = offset + 1 + text.length
  return true
}

export const takeText = (source: Source): string => {
  const bytes = takeView(source, takeNumber(source))
  return bytes.toString('utf8')
}

function putBytes(sink: Sink, bytes: Uint8Array): void {
  putNumber(sink, bytes.length)
  sink.buffer.set(bytes, sink.offset)
  sink.offset += bytes.length
}

function takeView(source: Source, length: number): Buffer {
  if (length > source.end - source.offset) throw malformed('an event breaks off')
  source.offset += length
  return source.buffer.subarray(source.offset - length, source.offset)
}

const kinds = { null: 0, text: 1, bytes: 2, commitment: 3 } as const
const digestBytes = 32
export const roomForCommitment = 1 + digestBytes

export function roomForValue(value: RecordedValue): number {
  if (value === null) return 1
  if (typeof value === 'string') return 1 + roomForText(value)
  return 'commitment' in value ? roomForCommitment : 1 + roomForNumber + value.length
}

export function putValue(sink: Sink, value: RecordedValue): void {
  if (value === null) putByte(sink, kinds.null)
  else if (typeof value === 'string') {
    putByte(sink, kinds.text)
    putText(sink, value)
  } else if ('commitment' in value) {
    putByte(sink, kinds.commitment)
    sink.offset += sink.buffer.write(value.commitment.slice('c1:'.length), sink.offset, 'base64url')
  } else {
    putByte(sink, kinds.bytes)
    putBytes(sink, value)
  }
}

/** @param salt gives the salt of the next commitment, where it is known */
export function takeValue(source: Source, salt: () => Uint8Array | undefined): RecordedValue {
  switch (takeByte(source)) {
    case kinds.null:
      return null
    case kinds.text:
      return takeText(source)
    case kinds.bytes:
      return Uint8Array.from(takeView(source, takeNumber(source)))
    case kinds.commitment: {
      const commitment: Commitment = `c1:${takeView(source, digestBytes).toString('base64url')}`
      const known = salt()
      return known === undefined ? { commitment } : { commitment, salt: known }
    }
    default:
      throw malformed('a value is of no known kind')
  }
}
