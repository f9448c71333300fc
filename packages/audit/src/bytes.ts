/** Bytes and their text forms. Decoding is strict: one text stands for any bytes, everything else is `undefined`. */

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** RFC 4648 section 4 (`base64`, padded) or section 5 without padding (`base64url`). */
export function encodeBase64(bytes: Uint8Array, alphabet: 'base64' | 'base64url' = 'base64'): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(alphabet)
}

/** Refuses other alphabets, white space, missing or surplus padding, and padding bits that are not zero. */
export function decodeBase64(text: string, alphabet: 'base64' | 'base64url' = 'base64'): Uint8Array | undefined {
  const bytes = Buffer.from(text, alphabet)
  return bytes.toString(alphabet) === text ? bytes : undefined
}

export function encodeUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

/** Refuses what is not UTF-8. A byte order mark is kept, as the character it is. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const surrogate = /\p{Surrogate}/u

/** Whether the text has a UTF-8 form at all: a lone surrogate has none, and would silently become U+FFFD. */
export function isWellFormed(text: string): boolean {
  return !surrogate.test(text)
}

const decimal = /^(?:0|[1-9][0-9]{0,15})$/

/** ASCII decimal without leading zeroes, at most 2^53 - 1. */
export function parseDecimal(text: string): number | undefined {
  if (!decimal.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
