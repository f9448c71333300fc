/** RFC 6901, JSON Pointer: where in a value something is. */

import type { JsonValue } from './canonical-json.ts'

/** `['subject', 'a/b']` is `/subject/a~1b`; no tokens is the empty pointer, the whole value (RFC 6901 section 5). */
export function formatPointer(tokens: readonly string[]): string {
  return tokens.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/**
 * What the pointer names, or `undefined` where it names nothing or is malformed (RFC 6901 section 4).
 * Only own members count, so `/constructor` names nothing; `-`, the element after the last, names nothing either.
 */
export function resolvePointer(value: JsonValue, pointer: string): JsonValue | undefined {
  const tokens = parsePointer(pointer)
  return tokens?.reduce<JsonValue | undefined>(member, value)
}

const token = /^(?:[^~]|~[01])*$/u

function parsePointer(pointer: string): readonly string[] | undefined {
  if (pointer === '') return []
  const [before, ...tokens] = pointer.split('/')
  if (before !== '' || !tokens.every((text) => token.test(text))) return undefined
  return tokens.map((text) => text.replaceAll('~1', '/').replaceAll('~0', '~'))
}

const arrayIndex = /^(?:0|[1-9][0-9]{0,9})$/

function member(value: JsonValue | undefined, key: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (isArray(value)) return arrayIndex.test(key) ? value[Number(key)] : undefined
  return Object.hasOwn(value, key) ? value[key] : undefined
}

/** `Array.isArray` does not narrow a union that has a readonly array in it. */
function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}
