/**
 * Salted commitments, so that a log that forgets nothing can hold personal data that must be forgettable.
 *
 * The entry carries the commitment; value and salt are kept elsewhere. Who is shown both can check them against the
 * log. Once the salt is erased, the commitment says nothing: guessing the value no longer helps, as each guess would
 * need the salt too. Use a fresh random salt for each value, or equal values show as equal.
 */

import { createHash } from 'node:crypto'

import { decodeBase64, encodeBase64, encodeUtf8 } from './bytes.ts'
import { canonicalBytes, isJsonObject } from './canonical-json.ts'
import type { JsonValue } from './canonical-json.ts'
import { resolvePointer } from './json-pointer.ts'
import { limits } from './limits.ts'

/** `c1:` and 32 bytes in unpadded base64url. The prefix is the version of the scheme. */
export type Commitment = `c1:${string}`

/** What opens a commitment. */
export type Opening = { readonly salt: Uint8Array; readonly value: JsonValue }

/** An opening as it travels beside an entry. It holds the personal data itself. */
export type Disclosure = {
  /** JSON Pointer (RFC 6901) from the entry to the commitment. */
  readonly path: string
  /** Unpadded base64url. */
  readonly salt: string
  readonly value: JsonValue
}

/** A disclosure held against an entry. Only `opens` makes the value a fact of the log. */
export type CheckedDisclosure = Disclosure & { readonly result: 'opens' | 'no-commitment' | 'mismatch' }

const domain = encodeUtf8('tidegate commitment v1\0')

/**
 * Commits to a value:
 *
 *     'c1:' + base64url(SHA-256(domain || salt length || salt || JCS(value)))
 *
 * The domain is the constant text `tidegate commitment v1` and a zero byte, the salt's length is one byte, and the
 * rest is the value's canonical JSON. Domain and length fix where each part begins, so no two different inputs are
 * framed alike.
 *
 * Throws a `RangeError` for a salt outside 16 to 64 bytes, and a `TypeError` for what canonical JSON cannot say.
 */
export function commit(value: JsonValue, salt: Uint8Array): Commitment {
  if (!isSaltLength(salt.length)) {
    throw new RangeError(`a salt is ${limits.saltBytes.min} to ${limits.saltBytes.max} bytes, not ${salt.length}`)
  }
  const digest = createHash('sha256')
    .update(domain)
    .update(Uint8Array.of(salt.length))
    .update(salt)
    .update(canonicalBytes(value))
    .digest()
  return `c1:${encodeBase64(digest, 'base64url')}`
}

/** Whether the commitment is one to this value under this salt. Never throws. */
export function opens(commitment: string, opening: Opening): boolean {
  try {
    return commit(opening.value, opening.salt) === commitment
  } catch {
    return false
  }
}

/** Says of each disclosure, in order, whether it opens the commitment its path names. Never throws. */
export function checkDisclosures(entry: JsonValue, disclosures: readonly Disclosure[]): readonly CheckedDisclosure[] {
  return disclosures.map((disclosure) => ({ ...disclosure, result: check(entry, disclosure) }))
}

/** Reads the disclosures of an untrusted JSON value: an array of exactly `{path, salt, value}`, else `undefined`. */
export function parseDisclosures(value: JsonValue | undefined): readonly Disclosure[] | undefined {
  if (!Array.isArray(value) || value.length > limits.disclosures) return undefined
  const items: readonly JsonValue[] = value
  return items.every(isDisclosure) ? items : undefined
}

function check(entry: JsonValue, { path, salt, value }: Disclosure): CheckedDisclosure['result'] {
  const target = resolvePointer(entry, path)
  if (typeof target !== 'string' || !target.startsWith('c1:')) return 'no-commitment'
  const bytes = decodeBase64(salt, 'base64url')
  return bytes !== undefined && opens(target, { salt: bytes, value }) ? 'opens' : 'mismatch'
}

function isDisclosure(item: JsonValue): item is Disclosure {
  return (
    isJsonObject(item) &&
    Object.keys(item).length === 3 &&
    typeof item['path'] === 'string' &&
    typeof item['salt'] === 'string' &&
    item['value'] !== undefined
  )
}

function isSaltLength(length: number): boolean {
  return length >= limits.saltBytes.min && length <= limits.saltBytes.max
}
