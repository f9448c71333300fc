/** The outer form of a segment file: eight bytes that say what it is, and records in a chain. */

import { chainBytes, nextChain } from './head.ts'

export const segmentMagic = Buffer.from('TGREC 1\n')
export const saltsMagic = Buffer.from('TGSALT1\n')

/** What a record is. Letters, so that a hex dump can be read. */
export const recordKinds = {
  /** JSON: whose recording this is. The first record of each segment, and nowhere else. */
  header: 'H'.charCodeAt(0),
  /** Events, as they are. */
  stored: 'S'.charCodeAt(0),
  /** Events, compressed: raw DEFLATE (RFC 1951). */
  deflated: 'D'.charCodeAt(0),
  /** Empty: the recording goes on in the next segment. */
  next: 'N'.charCodeAt(0),
  /** JSON: the session has ended. Nothing follows. */
  end: 'E'.charCodeAt(0),
} as const

export type RecordKind = keyof typeof recordKinds

const names = new Map(Object.entries(recordKinds).map(([name, code]) => [code, name as RecordKind]))

export const recordKindOf = (code: number): RecordKind | undefined => names.get(code)

/** Length of the payload as an unsigned 32-bit number, big-endian, and the kind. */
export const frameBytes = 5

/** A record as it is in the file, and the chain after it. */
export function frameRecord(
  kind: RecordKind,
  payload: Uint8Array,
  chain: Buffer,
): { readonly bytes: Buffer; readonly chain: Buffer } {
  const frame = Buffer.allocUnsafe(frameBytes)
  frame.writeUInt32BE(payload.length, 0)
  frame[4] = recordKinds[kind]
  const next = nextChain(chain, frame, payload)
  return { bytes: Buffer.concat([frame, payload, next]), chain: next }
}

/** Of a record with a payload of this length. */
export const recordBytes = (payloadBytes: number): number => frameBytes + payloadBytes + chainBytes
