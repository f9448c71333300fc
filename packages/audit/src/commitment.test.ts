import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { encodeBase64 } from './bytes.ts'
import type { JsonValue } from './canonical-json.ts'
import { checkDisclosures, commit, opens, parseDisclosures } from './commitment.ts'

const salt = Buffer.alloc(16, 7)
const saltText = encodeBase64(salt, 'base64url')

describe('a commitment', () => {
  test('keeps its form: changing the framing would orphan every commitment ever logged', () => {
    expect(commit({ name: 'Ada' }, salt)).toBe('c1:06ss76kShCGeuMVDC9_e-fgyLoKPAmWKl8_v4N-QgHs')
  })

  test('opens to its own value and salt and to no others', () => {
    const value = fc.jsonValue().map((json) => json as JsonValue)
    const salts = fc.uint8Array({ minLength: 16, maxLength: 64 })
    fc.assert(
      fc.property(value, salts, value, salts, (a, saltA, b, saltB) => {
        const same = Buffer.compare(saltA, saltB) === 0 && commit(a, salt) === commit(b, salt)
        expect(opens(commit(a, saltA), { salt: saltA, value: a })).toBe(true)
        expect(opens(commit(a, saltA), { salt: saltB, value: b })).toBe(same)
      }),
    )
  })

  test('frames the salt: bytes moved from the value to the salt give another commitment', () => {
    const longer = Buffer.concat([salt, Buffer.from('1')])
    expect(commit(12, salt)).not.toBe(commit(2, longer))
  })

  test('refuses a salt that could be guessed', () => {
    expect(() => commit('Ada', salt.subarray(1))).toThrow('a salt is 16 to 64 bytes, not 15')
    expect(opens(commit('Ada', salt), { salt: salt.subarray(1), value: 'Ada' })).toBe(false)
  })
})

describe('a disclosure', () => {
  const entry = { subject: { name: commit('Ada', salt), 'a/b': [commit('Byron', salt)] }, role: 'admin' }

  test.each([
    ['/subject/name', 'Ada', 'opens'],
    ['/subject/a~1b/0', 'Byron', 'opens'],
    ['/subject/name', 'Byron', 'mismatch'],
    ['/role', 'admin', 'no-commitment'],
    ['/subject', 'Ada', 'no-commitment'],
    ['/constructor/name', 'Ada', 'no-commitment'],
    ['/subject/a~1b/00', 'Byron', 'no-commitment'],
    ['/subject/a~1b/-', 'Byron', 'no-commitment'],
    ['/subject/a~1b/length', 'Byron', 'no-commitment'],
    ['subject/name', 'Ada', 'no-commitment'],
    ['/subject/name~', 'Ada', 'no-commitment'],
    ['', 'Ada', 'no-commitment'],
  ] as const)('of %s as %s is found: %s', (path, value, result) => {
    expect(checkDisclosures(entry, [{ path, salt: saltText, value }])).toEqual([
      { path, salt: saltText, value, result },
    ])
  })

  test('with a salt that is not strict base64url does not open', () => {
    for (const text of [`${saltText}=`, saltText.slice(1), 'ä', '']) {
      expect(checkDisclosures(entry, [{ path: '/subject/name', salt: text, value: 'Ada' }])[0]?.result).toBe('mismatch')
    }
  })

  test('of another shape is refused', () => {
    const good = { path: '/a', salt: saltText, value: null }
    expect(parseDisclosures([good])).toEqual([good])
    for (const bad of [null, {}, [null], [{ path: '/a', salt: 's' }], [{ ...good, more: 1 }], [{ ...good, path: 1 }]]) {
      expect(parseDisclosures(bad)).toBeUndefined()
    }
    expect(parseDisclosures(Array.from({ length: 257 }, () => good))).toBeUndefined()
  })
})
