/** A log entry: one fact, as canonical JSON. Its bytes are the leaf of the tree. */

import { canonicalBytes, isJsonObject, parseCanonicalJson } from './canonical-json.ts'
import type { JsonObject, JsonValue } from './canonical-json.ts'
import { limits } from './limits.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'

/** The envelope every entry has. What else it holds is the affair of its `type`. */
export type LogEntry = {
  /** Version of the envelope. */
  readonly v: 1
  readonly id: string
  readonly type: string
  /** RFC 3339 with seconds and an offset. What the log's operator says: the tree proves order, not time. */
  readonly at: string
  readonly [field: string]: JsonValue
}

/** Throws a `TypeError` for what is not an entry, and a `RangeError` for one of more than 65,535 bytes. */
export function encodeEntry(entry: LogEntry): Uint8Array {
  const problem = envelopeProblem(entry)
  if (problem !== undefined) throw new TypeError(problem)
  const bytes = canonicalBytes(entry)
  if (bytes.length > limits.entryBytes) {
    throw new RangeError(`an entry is at most ${limits.entryBytes} bytes, not ${bytes.length}; log a hash of the rest`)
  }
  return bytes
}

/** Reads exactly the bytes that {@link encodeEntry} writes. Never throws. */
export function decodeEntry(bytes: Uint8Array): Outcome<{ readonly entry: LogEntry }, 'malformed-entry'> {
  if (bytes.length > limits.entryBytes) {
    return failure('malformed-entry', `an entry is at most ${limits.entryBytes} bytes, not ${bytes.length}`)
  }
  const value = parseCanonicalJson(bytes)
  if (value === undefined) return failure('malformed-entry', 'the entry is not canonical JSON (RFC 8785)')
  if (!isJsonObject(value)) return failure('malformed-entry', 'the entry is not an object')
  const problem = envelopeProblem(value)
  return problem === undefined ? { ok: true, entry: value as LogEntry } : failure('malformed-entry', problem)
}

function envelopeProblem(entry: JsonObject): string | undefined {
  if (entry['v'] !== 1) return 'the entry\'s field "v" is not 1'
  if (!isText(entry['id'])) return 'the entry\'s field "id" is not a non-empty string'
  if (!isText(entry['type'])) return 'the entry\'s field "type" is not a non-empty string'
  if (!isInstant(entry['at'])) return 'the entry\'s field "at" is not an RFC 3339 instant'
  return undefined
}

function isText(value: JsonValue | undefined): boolean {
  return typeof value === 'string' && value !== ''
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** `Date.parse` carries 30 February over into March, so the date must also survive a round trip. */
function isInstant(value: JsonValue | undefined): boolean {
  if (typeof value !== 'string' || !rfc3339.test(value) || Number.isNaN(Date.parse(value))) return false
  const date = value.slice(0, 'yyyy-mm-dd'.length)
  const midnight = new Date(`${date}T00:00:00Z`)
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date)
}
