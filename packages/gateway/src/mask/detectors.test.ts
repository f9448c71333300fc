import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DetectorKind, detectorKinds, isIban, isLuhn, replaceFound } from './detectors.ts'
import { createDetecting, createMaskers } from './methods.ts'

const found = (text: string, kind: DetectorKind): readonly string[] => {
  const all: string[] = []
  replaceFound(text, kind, (value) => {
    all.push(value)
    return value
  })
  return all
}

const jwt = `${Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')}.${Buffer.from('{"sub":"1"}').toString('base64url')}.c2lnbmF0dXJlLWhlcmU`

const real: Readonly<Record<DetectorKind, readonly string[]>> = {
  email: ['alice@example.com', 'a.b+c@mail.example.co.uk', "o'neil@example.org", 'jörg@müller.de', 'A_B%c@x-y.io'],
  card: [
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111.1111.1111.1111',
    '378282246310005',
    '6011111111111117',
    '5555555555554444',
  ],
  phone: ['+41 44 668 18 00', '+14155552671', '+49 (0)30 901820', '(415) 555-2671', '415-555-2671'],
  iban: ['CH9300762011623852957', 'DE89 3704 0044 0532 0130 00', 'gb29nwbk60161331926819', 'NO9386011117947'],
  'national-id': [
    '078-05-1120',
    '756.9217.0769.85',
    '7569217076985',
    'AB 12 34 56 C',
    '12345678Z',
    'X1234567L',
    'RSSMRA85T10A562S',
    '255081416802538',
  ],
  jwt: [jwt],
  key: [
    'AKIAIOSFODNN7EXAMPLE',
    `ghp_${'a1B2'.repeat(9)}`,
    `sk_live_${'4eC3'.repeat(6)}`,
    'AIzaSyA-1234567890abcdefghijklmnopqrstu',
    '-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----',
  ],
}

const other: Readonly<Record<DetectorKind, readonly string[]>> = {
  email: ['alice at example.com', '@example', 'a@b', 'user@localhost'],
  card: [
    '4111111111111112',
    '1234567890123456',
    '0000000000000000',
    '41111111111111111111111',
    '2026-11-22 07:19:26.123456',
  ],
  phone: ['12345', '2026-11-22', '1.2.3.4', '+1', 'order 4155552671'],
  iban: ['DE89370400440532013001', 'AB12', 'CONTENT2024ABCDEFGHIJ'],
  'national-id': ['000-12-3456', '666-12-3456', '756.9217.0769.86', '12345678A', '123-45-0000', '255081416802539'],
  jwt: ['eyJhbGci', 'a.b.c', `eyJub3QiOiJhIHNpZ25lZCB0aGluZyJ9.abc.def`],
  key: ['AKIA', 'sk-short', 'no key here at all, only words'],
}

describe('detectors', () => {
  test.each(detectorKinds)('find real shapes of %s, also within other text', (kind) => {
    for (const text of real[kind]) {
      expect(found(text, kind)).toEqual([text])
      expect(found(`so: ${text}, and more`, kind)).toEqual([text])
      expect(found(`{"k": "${text}"}`, kind)).toEqual([text])
    }
  })

  test.each(detectorKinds)('leave what only looks like %s', (kind) => {
    for (const text of other[kind]) expect([text, found(text, kind)]).toEqual([text, []])
  })

  test('take no number for a card whose check digit is wrong, and every one whose is right', () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 14, maxLength: 14 })
    fc.assert(
      fc.property(digits, (rest) => {
        const numbers = Array.from({ length: 10 }, (_, check) => `4${rest.join('')}${check}`)
        expect(numbers.filter((number) => found(number, 'card').length > 0)).toEqual(numbers.filter(isLuhn))
        expect(numbers.filter(isLuhn)).toHaveLength(1)
      }),
    )
  })

  test('an IBAN with one digit changed is none', () => {
    const valid = 'CH9300762011623852957'
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 20 }), fc.integer({ min: 1, max: 9 }), (at, by) => {
        const changed = valid.slice(0, at) + ((Number(valid[at]) + by) % 10) + valid.slice(at + 1)
        expect(isIban(changed)).toBe(false)
      }),
    )
  })

  test('no text makes them slow or throw', () => {
    const all = createDetecting([{ kinds: detectorKinds, by: 'full' }], createMaskers(Buffer.alloc(32)))!
    const parts = fc.constantFrom(
      'a',
      '@',
      '.',
      '-',
      '1',
      ' ',
      '+',
      'eyJ',
      '-----BEGIN ',
      'PRIVATE KEY-----',
      '(',
      'é',
      '%',
    )
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 60 }), (words) => void all(words.join('').repeat(50))),
      { numRuns: 50 },
    )
  })
})

describe('what stands in the place of what is found', () => {
  const detecting = (by: 'full' | 'partial' | 'hash' | 'null') =>
    createDetecting([{ kinds: ['email', 'card'], by }], createMaskers(Buffer.alloc(32, 1)))!

  test('leaves the rest of the text as it is', () => {
    expect(detecting('full')('from a@example.com to 4111 1111 1111 1111.')).toBe('from *** to ***.')
    expect(detecting('partial')('from alice@example.com to 4111 1111 1111 1111.')).toBe(
      'from a****@example.com to **** **** **** 1111.',
    )
    expect(detecting('null')('from a@example.com')).toBeNull()
    expect(detecting('full')('nothing')).toBeUndefined()
  })

  test('is the same hash for the same value, and another under another key', () => {
    const hash = (key: number, text: string) => createMaskers(Buffer.alloc(32, key)).hash(text)
    expect(hash(1, 'a')).toBe(hash(1, 'a'))
    expect(hash(1, 'a')).not.toBe(hash(2, 'a'))
    expect(hash(1, 'a')).not.toBe(hash(1, 'b'))
  })

  test('never has the value in it, and of a part at most a third and an address’s domain', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40 }), (text) => {
        const { full, partial } = createMaskers(Buffer.alloc(32))
        expect(full(text)).toBe('***')
        if (text.includes('@')) return
        const kept = Array.from(partial(text)!).filter((character, at) => character === text[at] && character !== '*')
        expect(kept.length).toBeLessThanOrEqual(Math.min(4, Math.floor(text.length / 3)))
      }),
    )
  })
})
