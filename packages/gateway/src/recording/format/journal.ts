/**
 * Journals: what was appended to recordings and is not on disk there yet, so that one write brings to disk what many
 * sessions have said. `DIR/journal/000001.tgjnl` is eight bytes that say what it is, and records: the length of a payload
 * (32 bits), the SHA-256 of it, and the payload, which is one after the other the length of a path in `DIR` (16 bits), the
 * path, where in that file (48 bits), how many bytes (32 bits), and those. Numbers are unsigned and big-endian. A record
 * that does not hold, as the last one after a power failure, was never relied on, and neither was what comes after it.
 */

import { createHash } from 'node:crypto'

export const journalMagic = Buffer.from('TGJNL 1\n')

/** Beside the years. */
export const journalFolder = 'journal'

const name = /^(\d{6,15})\.tgjnl$/
export const journalName = (number: number): string => `${String(number).padStart(6, '0')}.tgjnl`
/** `undefined` for what is not the name of a journal. */
export const journalNumber = (text: string): number | undefined => {
  const digits = name.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export type Appended = {
  /** Its path in the folder of recordings, with `/`. */
  readonly file: string
  /** So many bytes were there before. */
  readonly at: number
  readonly bytes: Uint8Array
}

const digestBytes = 32
const frameBytes = 4 + digestBytes
const placeBytes = 6 + 4

/** A record. */
export function encodeAppended(all: readonly Appended[]): Buffer {
  const parts = all.flatMap(({ file, at, bytes }) => {
    const path = Buffer.from(file)
    const place = Buffer.alloc(2 + path.length + placeBytes)
    place.writeUInt16BE(path.length, 0)
    path.copy(place, 2)
    place.writeUIntBE(at, 2 + path.length, 6)
    place.writeUInt32BE(bytes.length, 2 + path.length + 6)
    return [place, bytes]
  })
  const record = Buffer.concat([Buffer.alloc(frameBytes), ...parts])
  const payload = record.subarray(frameBytes)
  record.writeUInt32BE(payload.length, 0)
  digestOf(payload).copy(record, 4)
  return record
}

/** What a journal has, in the order in which it was appended. */
export function decodeJournal(journal: Buffer): Appended[] {
  if (!journal.subarray(0, journalMagic.length).equals(journalMagic)) return []
  const all: Appended[] = []
  for (let at = journalMagic.length; at + frameBytes <= journal.length;) {
    const end = at + frameBytes + journal.readUInt32BE(at)
    const payload = journal.subarray(at + frameBytes, end)
    if (end > journal.length || !digestOf(payload).equals(journal.subarray(at + 4, at + frameBytes))) break
    for (const one of decodePayload(payload)) all.push(one)
    at = end
  }
  return all
}

/** Of what its digest is of: it is as it was written. */
function* decodePayload(payload: Buffer): Generator<Appended> {
  for (let at = 0; at < payload.length;) {
    const place = at + 2 + payload.readUInt16BE(at)
    const from = place + placeBytes
    const to = from + payload.readUInt32BE(place + 6)
    yield {
      file: payload.toString('utf8', at + 2, place),
      at: payload.readUIntBE(place, 6),
      bytes: payload.subarray(from, to),
    }
    at = to
  }
}

const digestOf = (payload: Uint8Array): Buffer => createHash('sha256').update(payload).digest()
