import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { IdKind } from './ids.ts'
import { idPrefixes, isId, makeId } from './ids.ts'
import { instant } from './time.ts'

const kinds = Object.keys(idPrefixes) as IdKind[]
const kind = fc.constantFrom(...kinds)
const at = fc.nat(2 ** 48 - 1).map(instant)
const random = fc.uint8Array({ minLength: 10, maxLength: 10 })

test('an id is its prefix and 26 characters of the alphabet, and is one of its kind only', () => {
  fc.assert(
    fc.property(kind, at, random, (kind, now, bytes) => {
      const id = makeId(kind, now, bytes)
      expect(id).toMatch(/^[a-z]{3}_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/)
      expect(kinds.filter((one) => isId(one, id))).toEqual([kind])
    }),
  )
})

test('ids sort by the time they were made at', () => {
  fc.assert(
    fc.property(at, at, random, random, (one, other, a, b) => {
      fc.pre(one !== other)
      expect(makeId('grant', one, a) < makeId('grant', other, b)).toBe(one < other)
    }),
  )
})

test('every bit of the randomness is in the id', () => {
  fc.assert(
    fc.property(at, random, random, (now, a, b) => {
      expect(makeId('grant', now, a) === makeId('grant', now, b)).toBe(Buffer.compare(a, b) === 0)
    }),
  )
})

test('an id is not made of fewer or more than ten random bytes', () => {
  expect(() => makeId('grant', instant(0), new Uint8Array(9))).toThrow(RangeError)
  expect(() => makeId('grant', instant(0), new Uint8Array(16))).toThrow(RangeError)
})

test('no two kinds have the same prefix', () => {
  expect(new Set(Object.values(idPrefixes)).size).toBe(kinds.length)
})

test.each([
  ['upper case', 'grt_01KE7Q5R4M0000000000000000'],
  ['a letter that is not in the alphabet', 'grt_01ke7q5r4mi000000000000000'],
  ['too short a text', 'grt_01ke7q5r4m000000000000000'],
  ['too long a text', 'grt_01ke7q5r4m00000000000000000'],
  ['another prefix', 'req_01ke7q5r4m0000000000000000'],
  ['no prefix', '01ke7q5r4m0000000000000000'],
  ['a line break at the end', 'grt_01ke7q5r4m0000000000000000\n'],
])('%s is no id of a grant', (_what, text) => {
  expect(isId('grant', text)).toBe(false)
})
