import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { encodeUtf8 } from './bytes.ts'
import { canonicalBytes, canonicalJson, parseCanonicalJson } from './canonical-json.ts'
import type { JsonValue } from './canonical-json.ts'

const doubleOf = (bits: string): number => Buffer.from(bits, 'hex').readDoubleBE()

describe('canonical JSON', () => {
  test('writes the example of RFC 8785 section 3.2.4', () => {
    const value = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: '\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    }
    const expected =
      '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d'
    expect(Buffer.from(canonicalBytes(value)).toString('hex')).toBe(expected)
  })

  test('sorts as RFC 8785 section 3.2.3 does', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    }
    expect(canonicalJson(value).match(/:"[^"]+"/g)).toEqual([
      ':"Carriage Return"',
      ':"One"',
      ':"Control"',
      ':"Latin Small Letter O With Diaeresis"',
      ':"Euro Sign"',
      ':"Emoji: Grinning Face"',
      ':"Hebrew Letter Dalet With Dagesh"',
    ])
  })

  test.each([
    ['0000000000000000', '0'],
    ['8000000000000000', '0'],
    ['0000000000000001', '5e-324'],
    ['8000000000000001', '-5e-324'],
    ['7fefffffffffffff', '1.7976931348623157e+308'],
    ['4340000000000000', '9007199254740992'],
    ['4430000000000000', '295147905179352830000'],
    ['44b52d02c7e14af5', '9.999999999999997e+22'],
    ['44b52d02c7e14af6', '1e+23'],
    ['444b1ae4d6e2ef4e', '999999999999999700000'],
    ['444b1ae4d6e2ef50', '1e+21'],
    ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
    ['3eb0c6f7a0b5ed8d', '0.000001'],
    ['41b3de4355555556', '333333333.3333334'],
    ['41b3de4355555557', '333333333.33333343'],
    ['becbf647612f3696', '-0.0000033333333333333333'],
  ])('writes the double %s as RFC 8785 appendix B does', (bits, text) => {
    expect(canonicalJson(doubleOf(bits))).toBe(text)
  })

  test.each([
    ['NaN', { a: [Number.NaN] }, '/a/0 is not a finite number'],
    ['infinity', Infinity, 'the value is not a finite number'],
    ['undefined', { 'a/b': undefined }, '/a~1b is not a JSON value'],
    ['a hole', { a: Array.from<JsonValue>({ length: 1 }) }, '/a/0 is not a JSON value'],
    ['a lone surrogate', ['\ud83d'], '/0 holds a lone surrogate'],
    ['a lone surrogate in a key', { '\ude00': 1 }, 'the value holds a lone surrogate'],
    ['a date', { at: new Date(0) }, '/at is not a JSON value'],
    ['a bigint', 1n, 'the value is not a JSON value'],
  ])('refuses %s and says where', (_, value, message) => {
    expect(() => canonicalJson(value as JsonValue)).toThrow(new TypeError(message))
  })

  test('refuses what is nested too deep, without exhausting the stack', () => {
    const deep = encodeUtf8('['.repeat(400_000) + ']'.repeat(400_000))
    expect(parseCanonicalJson(deep)).toBeUndefined()
    expect(canonicalJson([[]], 2)).toBe('[[]]')
    expect(() => canonicalJson([[]], 1)).toThrow('/0 is nested deeper than 1')
  })

  test('is read back as the same value', () => {
    fc.assert(
      fc.property(wellFormedJson, (value) => {
        expect(parseCanonicalJson(canonicalBytes(value))).toEqual(value)
      }),
    )
  })

  test('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(wellFormedJson, (value) => {
        expect(canonicalJson(reverseKeys(value))).toBe(canonicalJson(value))
      }),
    )
  })

  test.each([' 1', '1.0', '-0', '{"b":1,"a":2}', '{"a":1,"a":1}', '"\\u0041"', '"\\ud800"', '', '{', '\ufeff1', '1e1'])(
    'refuses %j, which is not canonical',
    (text) => {
      expect(parseCanonicalJson(encodeUtf8(text))).toBeUndefined()
    },
  )

  test('refuses bytes that are not UTF-8', () => {
    expect(parseCanonicalJson(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined()
  })

  test('keeps a member named __proto__', () => {
    const bytes = encodeUtf8('{"__proto__":{"admin":true}}')
    expect(canonicalBytes(parseCanonicalJson(bytes) ?? null)).toEqual(bytes)
  })
})

/** JSON text has no -0 and, from this unit, no lone surrogates. */
const wellFormedJson = fc.json({ stringUnit: 'binary', maxDepth: 6 }).map((text) => JSON.parse(text) as JsonValue)

function reverseKeys(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(reverseKeys)
  const reversed = Object.entries(value).toReversed()
  return Object.fromEntries(reversed.map(([key, member]) => [key, reverseKeys(member)]))
}
