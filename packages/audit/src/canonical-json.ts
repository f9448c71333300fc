/** RFC 8785, the JSON Canonicalization Scheme: one byte sequence for one JSON value. */

import { decodeUtf8, encodeUtf8, equalBytes, isWellFormed } from './bytes.ts'
import { formatPointer } from './json-pointer.ts'
import { limits } from './limits.ts'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export type JsonObject = { readonly [key: string]: JsonValue }

/**
 * The canonical text of a value (RFC 8785 section 3.2).
 *
 * Throws a `TypeError` naming the place for what JSON or I-JSON cannot say: `undefined`, `NaN`, infinities, lone
 * surrogates, objects that are not plain, nesting beyond `maxDepth`. As the specification asks, `-0` is `0`.
 */
export function canonicalJson(value: JsonValue, maxDepth: number = limits.jsonDepth): string {
  return write(value, { path: [], maxDepth })
}

/** {@link canonicalJson} as UTF-8: what is hashed. */
export function canonicalBytes(value: JsonValue, maxDepth: number = limits.jsonDepth): Uint8Array {
  return encodeUtf8(canonicalJson(value, maxDepth))
}

/** The value of bytes that are canonical JSON; `undefined` for any others, valid JSON in another form included. */
export function parseCanonicalJson(bytes: Uint8Array, maxDepth: number = limits.jsonDepth): JsonValue | undefined {
  const text = decodeUtf8(bytes)
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as JsonValue
    return equalBytes(canonicalBytes(value, maxDepth), bytes) ? value : undefined
  } catch {
    return undefined
  }
}

/** Narrows a JSON value to an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Where the walk is: the keys down to the value, pushed and popped in place. Their number is the depth. */
type Place = { readonly path: string[]; readonly maxDepth: number }

function write(value: unknown, place: Place): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return writeNumber(value, place)
  if (typeof value === 'string') return writeString(value, place)
  if (place.path.length >= place.maxDepth) throw fault(place, `is nested deeper than ${place.maxDepth}`)
  if (Array.isArray(value)) return writeArray(value, place)
  if (isPlainObject(value)) return writeObject(value, place)
  throw fault(place, 'is not a JSON value')
}

/** RFC 8785 section 3.2.2.3 is ECMAScript's own number formatting. */
function writeNumber(value: number, place: Place): string {
  if (!Number.isFinite(value)) throw fault(place, 'is not a finite number')
  return String(value)
}

/** RFC 8785 section 3.2.2.2 is ECMAScript's own string quoting, but for lone surrogates. */
function writeString(value: string, place: Place): string {
  if (!isWellFormed(value)) throw fault(place, 'holds a lone surrogate')
  return JSON.stringify(value)
}

function writeArray(items: readonly unknown[], place: Place): string {
  return `[${Array.from(items, (item, i) => writeMember(String(i), item, place)).join(',')}]`
}

/** RFC 8785 section 3.2.3 sorts by UTF-16 code units, as `sort` does by itself. */
function writeObject(object: Readonly<Record<string, unknown>>, place: Place): string {
  const members = Object.keys(object)
    .toSorted()
    .map((key) => `${writeString(key, place)}:${writeMember(key, object[key], place)}`)
  return `{${members.join(',')}}`
}

function writeMember(key: string, value: unknown, place: Place): string {
  place.path.push(key)
  const text = write(value, place)
  place.path.pop()
  return text
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function fault({ path }: Place, what: string): TypeError {
  return new TypeError(`${path.length === 0 ? 'the value' : formatPointer(path)} ${what}`)
}
