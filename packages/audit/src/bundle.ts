/** C2SP tlog-tiles, section "Log entries": entry bundles, entries each behind their length as a big-endian uint16. */

import { limits } from './limits.ts'

const lengthBytes = 2

/** Throws a `RangeError` for more than 256 entries or one of more than 65,535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length > limits.tileWidth) {
    throw new RangeError(`a bundle holds at most ${limits.tileWidth} entries, not ${entries.length}`)
  }
  return Buffer.concat(entries.flatMap((entry) => [lengthPrefix(entry), entry]))
}

/** The first `width` entries, or as many as are whole, and the number of bytes after them. Never throws. */
export function readBundle(
  bytes: Uint8Array,
  width: number,
): { readonly entries: readonly Uint8Array[]; readonly restBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Uint8Array[] = []
  let at = 0
  while (entries.length < width && at + lengthBytes <= bytes.length) {
    const end = at + lengthBytes + view.getUint16(at)
    if (end > bytes.length) break
    entries.push(bytes.subarray(at + lengthBytes, end))
    at = end
  }
  return { entries, restBytes: bytes.length - at }
}

/** Exactly `width` entries and nothing after them, else `undefined`. Never throws. */
export function decodeBundle(bytes: Uint8Array, width: number): readonly Uint8Array[] | undefined {
  const { entries, restBytes } = readBundle(bytes, width)
  return entries.length === width && restBytes === 0 ? entries : undefined
}

function lengthPrefix(entry: Uint8Array): Uint8Array {
  if (entry.length > limits.entryBytes) {
    throw new RangeError(`an entry is at most ${limits.entryBytes} bytes, not ${entry.length}`)
  }
  return Uint8Array.of(entry.length >> 8, entry.length & 0xff)
}
