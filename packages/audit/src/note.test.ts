import { generateKeyPairSync } from 'node:crypto'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  formatNote,
  formatVerifierKey,
  generateSignerKey,
  isKeyName,
  openSignerKey,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyNote,
} from './note.ts'
import type { VerifierKey } from './note.ts'
import { sampleKey } from './testing/sample-log.ts'

const keyOf = (vkey: string): VerifierKey => parseVerifierKey(vkey) as VerifierKey
const witness = '\u2014 witness.example/w1 AAAAAAAAAAAAAAAAAAA=\n'

/** Characters that mean something in the format, or must not be in it. */
const hostile = fc.constantFrom(...'\n\r\0\t +=/A09-\u2014\u00e9\u00a0\ud83d'.split(''))

describe('a note of another implementation', () => {
  const vkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
  const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
  const note = `${text}\n\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`

  test('of Go sumdb/note verifies', () => {
    expect(verifyNote(note, keyOf(vkey))).toMatchObject({ ok: true, text })
    expect(formatVerifierKey(keyOf(vkey))).toBe(vkey)
  })

  test('of the specification is read and written back', () => {
    const example =
      'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\u2014 quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n'
    const parsed = parseNote(example)
    expect(parsed?.text.split('\n')).toHaveLength(5)
    expect(parsed && formatNote(parsed)).toBe(example)
  })
})

describe('a signed note', () => {
  const signer = sampleKey()
  const key = keyOf(signer.vkey)
  const note = signNote('one\n\ntwo\n', signer)

  test('verifies under the key that signed it', () => {
    expect(verifyNote(note, key)).toMatchObject({ ok: true, text: 'one\n\ntwo\n', signatures: [{ name: key.name }] })
  })

  test('still verifies with signatures of unknown keys, before and behind', () => {
    expect(verifyNote(note + witness, key).ok).toBe(true)
    expect(verifyNote(note.replace('\n\n\u2014', `\n\n${witness}\u2014`), key).ok).toBe(true)
  })

  test('by another key is not signed, also where the name is the same', () => {
    expect(verifyNote(note, keyOf(sampleKey().vkey))).toMatchObject({ ok: false, reason: 'not-signed' })
    expect(verifyNote(note, keyOf(sampleKey('other.example').vkey))).toMatchObject({ reason: 'not-signed' })
  })

  test('is refused where one of two signatures by the key is bad', () => {
    const other = signNote('three\n', signer).split('\n\n')[1]
    expect(verifyNote(note + other, key)).toMatchObject({ ok: false, reason: 'bad-signature' })
  })

  test('is refused where any character of it differs', () => {
    fc.assert(
      fc.property(fc.nat(note.length - 1), fc.string({ unit: hostile, maxLength: 2 }), (at, other) => {
        const changed = note.slice(0, at) + other + note.slice(at + 1)
        fc.pre(changed !== note)
        expect(verifyNote(changed, key).ok).toBe(false)
      }),
      { numRuns: 150 },
    )
  })

  test.each([
    ['nothing', ''],
    ['no signature', 'text\n\n'],
    ['no blank line', 'text\n' + witness],
    ['no newline at the end', `text\n\n${witness.trimEnd()}`],
    ['a carriage return', `text\r\n\n${witness}`],
    ['a lone surrogate', `text \ud800\n\n${witness}`],
    ['a hyphen for the dash', `text\n\n${witness.replace('\u2014', '-')}`],
    ['two spaces', `text\n\n${witness.replace(' AAAA', '  AAAA')}`],
    ['a plus in a name', `text\n\n${witness.replace('w1', 'w+1')}`],
    ['a no-break space in a name', `text\n\n${witness.replace('w1', 'w\u00a01')}`],
    ['base64 without padding', `text\n\n${witness.replace('=', '')}`],
    ['base64 with stray bits', `text\n\n${witness.replace('A=', 'B=')}`],
    ['base64url', `text\n\n${witness.replace('AAAA', '_AAA')}`],
    ['a signature of no bytes', 'text\n\n\u2014 w AAAAAA==\n'],
    ['too many signatures', `text\n\n${witness.repeat(65)}`],
    ['too many bytes', `${'x'.repeat(262_144)}\n\n${witness}`],
  ])('is malformed with %s', (_, text) => {
    expect(parseNote(text)).toBeUndefined()
    expect(verifyNote(text, key)).toMatchObject({ ok: false, reason: 'malformed-note' })
  })

  test('cannot be made of a text that no note can have', () => {
    for (const text of ['', 'no newline', 'tab\t\n', 'null\0\n', '\ud800\n']) {
      expect(() => signNote(text, signer)).toThrow(RangeError)
    }
  })
})

describe('a key', () => {
  test('is opened again from its secret', () => {
    const { secretPkcs8, vkey } = generateSignerKey('log.example')
    expect(openSignerKey({ name: 'log.example', secretPkcs8 }).vkey).toBe(vkey)
  })

  test('has a name without spaces, plus or control characters', () => {
    expect(['log.example/a', 'ä', '-'].every(isKeyName)).toBe(true)
    for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u2003b', 'a\u0085b', 'a\u0000', '\ud800', 'x'.repeat(256)]) {
      expect(isKeyName(name)).toBe(false)
      expect(() => generateSignerKey(name)).toThrow(RangeError)
    }
  })

  test('of another algorithm is refused', () => {
    const secretPkcs8 = generateKeyPairSync('ed448').privateKey.export({ format: 'der', type: 'pkcs8' })
    expect(() => openSignerKey({ name: 'log', secretPkcs8 })).toThrow('not an Ed25519 key')
  })

  test('is refused in any text but its own', () => {
    const { vkey } = sampleKey('log.example')
    fc.assert(
      fc.property(fc.nat(vkey.length - 1), fc.string({ maxLength: 2 }), (at, other) => {
        const changed = vkey.slice(0, at) + other + vkey.slice(at + 1)
        fc.pre(changed !== vkey)
        expect(parseVerifierKey(changed)).toBeUndefined()
      }),
    )
    for (const bad of ['', 'a+b', `${vkey}\n`, vkey.toUpperCase()]) expect(parseVerifierKey(bad)).toBeUndefined()
  })

  test('does not show its secret when printed', () => {
    const { secretPkcs8 } = generateSignerKey('log.example')
    const signer = openSignerKey({ name: 'log.example', secretPkcs8 })
    expect(JSON.stringify(signer)).not.toContain(Buffer.from(secretPkcs8.subarray(-32)).toString('base64').slice(0, 8))
    expect(JSON.parse(JSON.stringify(signer))).toMatchObject({ secretKey: {} })
  })
})
