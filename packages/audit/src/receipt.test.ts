import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'

import { encodeBase64, encodeUtf8 } from './bytes.ts'
import { canonicalBytes } from './canonical-json.ts'
import type { JsonValue } from './canonical-json.ts'
import { commit } from './commitment.ts'
import { formatProof, parseProof } from './proof.ts'
import type { LogProof } from './proof.ts'
import { formatReceipt } from './receipt.ts'
import { verifyReceipt } from './verify-receipt.ts'
import { publishEntries, sampleEntries, sampleEntry, sampleKey } from './testing/sample-log.ts'
import { inclusionProof } from './tiles.ts'

const key = sampleKey()
const salt = Buffer.alloc(32, 3)
const index = 300
const entry = { ...sampleEntry(index), subject: { name: commit('Ada', salt) } }
const disclosure = { path: '/subject/name', salt: encodeBase64(salt, 'base64url'), value: 'Ada' }
const log = publishEntries(sampleEntries(400).with(index, entry), key)

let receipt: string
let proof: LogProof
beforeAll(async () => {
  const hashes = await inclusionProof({ index, size: log.size }, log.readTile)
  receipt = formatReceipt({ entry, disclosures: [disclosure], index, hashes, checkpoint: log.checkpoint })
  proof = parseProof(receipt) as LogProof
})

/** Characters that mean something in the format, or must not be in it. */
const hostile = fc.constantFrom(...'\n\r\0\t +=/A09-\u2014\u00e9\u00a0\ud83d'.split(''))

describe('a receipt', () => {
  test('is a tlog-proof that shows entry, place and what is disclosed', () => {
    expect(receipt.split('\n').slice(0, 3)).toEqual([
      'c2sp.org/tlog-proof@v1',
      expect.stringMatching(/^extra [A-Za-z0-9+/]+=*$/),
      'index 300',
    ])
    expect(verifyReceipt(receipt, key.vkey)).toMatchObject({
      ok: true,
      index,
      size: 400,
      entry,
      disclosures: [{ ...disclosure, result: 'opens' }],
      checkpoint: { origin: key.name },
    })
  })

  test('may disclose nothing, and then the name stays unknown', () => {
    const bare = formatReceipt({ ...proof, entry, disclosures: [] })
    expect(verifyReceipt(bare, key.vkey)).toMatchObject({ ok: true, disclosures: [] })
    expect(Buffer.from(parseProof(bare)?.extra ?? []).toString()).not.toContain('Ada')
  })

  test('may carry signatures of witnesses', () => {
    expect(verifyReceipt(`${receipt}\u2014 witness.example/w1 AAAAAAAAAAAAAAAAAAA=\n`, key.vkey).ok).toBe(true)
  })

  test.each([
    ['bad-disclosure', { entry, disclosures: [{ ...disclosure, value: 'Bob' }] }],
    ['bad-disclosure', { entry, disclosures: [{ ...disclosure, path: '/subject' }] }],
    ['bad-disclosure', { entry, disclosures: [disclosure, { ...disclosure, salt: 'AAAA' }] }],
    ['not-included', { entry: { ...entry, type: 'grant.ended' }, disclosures: [] }],
    ['malformed-entry', { entry: { ...entry, v: 2 }, disclosures: [] }],
    ['malformed-entry', { entry: [], disclosures: [] }],
    ['malformed-receipt', { entry, disclosures: {} }],
    ['malformed-receipt', { entry }],
    ['malformed-receipt', { entry, disclosures: [], more: true }],
    ['malformed-receipt', null],
  ] as [string, JsonValue][])('fails as %s where its content is another', (reason, content) => {
    const text = formatProof({ ...proof, extra: canonicalBytes(content) })
    expect(verifyReceipt(text, key.vkey)).toMatchObject({ ok: false, reason })
  })

  test('fails without content, and with content that is not canonical', () => {
    const { extra, ...bare } = proof
    const spaced = encodeUtf8(`${Buffer.from(extra ?? []).toString()} `)
    expect(verifyReceipt(formatProof(bare), key.vkey)).toMatchObject({ reason: 'malformed-receipt' })
    expect(verifyReceipt(formatProof({ ...bare, extra: spaced }), key.vkey)).toMatchObject({
      reason: 'malformed-receipt',
    })
  })

  test('fails with another key, another log or a fork by the same key', () => {
    const forked = publishEntries(sampleEntries(400), key)
    const foreign = publishEntries(sampleEntries(400).with(index, entry), sampleKey('other.example'))
    expect(verifyReceipt(receipt, sampleKey().vkey)).toMatchObject({ reason: 'not-signed' })
    expect(verifyReceipt(receipt, 'nonsense')).toMatchObject({ reason: 'malformed-key' })
    expect(verifyReceipt(formatProof({ ...proof, checkpoint: foreign.checkpoint }), key.vkey)).toMatchObject({
      reason: 'not-signed',
    })
    expect(verifyReceipt(formatProof({ ...proof, checkpoint: forked.checkpoint }), key.vkey)).toMatchObject({
      reason: 'not-included',
    })
  })

  test('fails with the proof of another entry', async () => {
    const hashes = await inclusionProof({ index: 301, size: log.size }, log.readTile)
    for (const swapped of [{ hashes }, { index: 301 }, { index: 301, hashes }, { index: 400 }]) {
      expect(verifyReceipt(formatProof({ ...proof, ...swapped }), key.vkey)).toMatchObject({ reason: 'not-included' })
    }
  })

  test('fails, and does not throw, wherever it is changed, cut or shuffled', () => {
    const at = fc.nat(receipt.length - 1)
    const changed = fc.oneof(
      fc
        .tuple(at, fc.string({ unit: hostile, maxLength: 3 }))
        .map(([i, s]) => receipt.slice(0, i) + s + receipt.slice(i + 1)),
      at.map((end) => receipt.slice(0, end)),
      fc.shuffledSubarray(receipt.split('\n')).map((lines) => lines.join('\n')),
      fc.string(),
    )
    fc.assert(
      fc.property(changed, (text) => {
        fc.pre(text !== receipt)
        expect(verifyReceipt(text, key.vkey).ok).toBe(false)
      }),
      { numRuns: 250 },
    )
  })

  test('holds whatever an entry can hold: nested to the limit, and the largest there is', () => {
    const nest = (depth: number): JsonValue => (depth === 0 ? [] : [nest(depth - 1)])
    const value = nest(63)
    const deep = { ...sampleEntry(0), deep: nest(62), secret: commit(value, salt), note: 'x'.repeat(65_000) }
    const small = publishEntries([deep], key)
    const text = formatReceipt({
      entry: deep,
      disclosures: [{ ...disclosure, path: '/secret', value }],
      index: 0,
      hashes: [],
      checkpoint: small.checkpoint,
    })
    expect(verifyReceipt(text, key.vkey)).toMatchObject({ ok: true, index: 0, size: 1 })
  })

  test('that nobody could verify cannot be written', () => {
    const parts = { ...proof, entry, disclosures: [disclosure] }
    expect(() => formatReceipt({ ...parts, index: -1 })).toThrow(RangeError)
    expect(() => formatReceipt({ ...parts, disclosures: [{ ...disclosure, value: 'x'.repeat(1_000_000) }] })).toThrow(
      RangeError,
    )
    expect(() => formatReceipt({ ...parts, disclosures: Array.from({ length: 257 }, () => disclosure) })).toThrow(
      RangeError,
    )
  })
})

describe('a tlog-proof', () => {
  test('is read back as written', () => {
    expect(formatProof(proof)).toBe(receipt)
    const { extra: _, ...bare } = proof
    expect(parseProof(formatProof(bare))).toEqual(bare)
    expect(parseProof(formatProof({ ...bare, extra: new Uint8Array(0) }))?.extra).toHaveLength(0)
  })

  test.each([
    ['another version', (text: string) => text.replace('@v1', '@v2')],
    ['a leading zero', (text: string) => text.replace('index ', 'index 0')],
    ['no index', (text: string) => text.replace('index 300\n', '')],
    ['index before extra', (text: string) => text.replace(/(extra .*\n)(index 300\n)/, '$2$1')],
    ['extra twice', (text: string) => text.replace(/(extra .*\n)/, '$1$1')],
    ['a short hash', (text: string) => text.replace('index 300\n', 'index 300\nAAAA\n')],
    ['carriage returns', (text: string) => text.replaceAll('\n', '\r\n')],
    [
      'too many hashes',
      (text: string) => text.replace('index 300\n', `index 300\n${`${'A'.repeat(43)}=\n`.repeat(54)}`),
    ],
    ['nothing after the proof', (text: string) => text.slice(0, text.indexOf('\n\n'))],
    ['more than 1 MiB', (text: string) => text + 'x'.repeat(1_048_576)],
  ])('is malformed with %s', (_, change) => {
    expect(parseProof(change(receipt))).toBeUndefined()
  })
})
