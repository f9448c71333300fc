import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { open, rewrap, seal, sealedLayout } from './envelope.ts'
import { createMasterKey, makeKey } from './keys.ts'

const newKey = () => createMasterKey([makeKey(randomBytes(32))])
const key = newKey()
const purpose = 'log-signing-key'
const random = (count: number): Uint8Array => randomBytes(count)
const sealed = seal(Buffer.from('a secret'), { key, purpose, random })

test('what was sealed opens with the same key for the same purpose, whatever it is', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.string(), (plaintext, purpose) => {
      const opened = open(seal(plaintext, { key, purpose, random }), { key, purpose })
      expect(opened.equals(plaintext)).toBe(true)
    }),
  )
})

test('another key does not open it', () => {
  expect(() => open(sealed, { key: newKey(), purpose })).toThrow()
})

test('another purpose does not open it', () => {
  fc.assert(
    fc.property(fc.string(), (other) => {
      fc.pre(other !== purpose)
      expect(() => open(sealed, { key, purpose: other })).toThrow()
    }),
  )
})

test('no bit of it can be changed', () => {
  for (let byte = 0; byte < sealed.length; byte++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[byte]! ^= 1 << bit
      expect(() => open(changed, { key, purpose }), `byte ${byte}, bit ${bit}`).toThrow()
    }
  }
})

test('it opens whole or not at all', () => {
  for (let length = 0; length < sealed.length; length++)
    expect(() => open(sealed.subarray(0, length), { key, purpose }), `${length} bytes`).toThrow()
  expect(() => open(Buffer.concat([sealed, Buffer.of(0)]), { key, purpose })).toThrow()
})

test('a part of one sealed value does not fit into another', () => {
  const other = seal(Buffer.from('a secret'), { key, purpose, random })
  for (let cut = 1; cut < sealed.length; cut++) {
    const mixed = Buffer.concat([sealed.subarray(0, cut), other.subarray(cut)])
    if (mixed.equals(sealed) || mixed.equals(other)) continue
    expect(() => open(mixed, { key, purpose }), `cut at ${cut}`).toThrow()
  }
})

test('the same secret sealed twice is not the same, and is nowhere in it', () => {
  const secret = randomBytes(32)
  const [one, two] = [seal(secret, { key, purpose, random }), seal(secret, { key, purpose, random })]
  expect(one.equals(two)).toBe(false)
  expect(one.includes(secret)).toBe(false)
})

test('under another key it is the same value, and the one before is not needed any more', () => {
  const [before, after] = [makeKey(randomBytes(32)), makeKey(randomBytes(32))]
  const both = createMasterKey([after, before])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (plaintext) => {
      const old = seal(plaintext, { key: createMasterKey([before]), purpose, random })
      expect(open(old, { key: both, purpose }).equals(plaintext)).toBe(true)
      const anew = rewrap(old, { key: both, purpose, random })
      expect(open(anew, { key: createMasterKey([after]), purpose }).equals(plaintext)).toBe(true)
      expect(() => open(anew, { key: createMasterKey([before]), purpose })).toThrow(after.id)
      // What the store may see to: that nothing is said anew.
      const { bodyFrom } = sealedLayout
      expect(anew.subarray(bodyFrom - 1).equals(old.subarray(bodyFrom - 1))).toBe(true)
    }),
  )
})

test('what is for another purpose, or changed, is not wrapped anew', () => {
  expect(() => rewrap(sealed, { key, purpose: 'another', random })).toThrow()
  for (let byte = 0; byte < sealedLayout.bodyFrom - 1; byte++) {
    const changed = Buffer.from(sealed)
    changed[byte]! ^= 1
    expect(() => rewrap(changed, { key, purpose, random }), `byte ${byte}`).toThrow()
  }
})

test('where the id of the key stands is where the layout says', () => {
  const { idFrom, idBytes } = sealedLayout
  expect(sealed.subarray(idFrom - 1, idFrom - 1 + idBytes).toString('hex')).toBe(key.sealing().id)
})
