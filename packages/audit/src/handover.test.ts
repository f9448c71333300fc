import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'

import { encodeUtf8 } from './bytes.ts'
import { signCheckpoint } from './checkpoint.ts'
import type { LogEntry } from './entry.ts'
import { exportLog } from './export-log.ts'
import { followHandovers, formatHandovers, parseHandovers } from './handover.ts'
import { limits } from './limits.ts'
import { parseVerifierKey } from './note.ts'
import type { SignerKey, VerifierKey } from './note.ts'
import { formatReceipt } from './receipt.ts'
import {
  flipBit,
  handover,
  keyChange,
  memorySource,
  publishEntries,
  sampleEntries,
  sampleEntry,
  sampleKey,
  signedBy,
  withFile,
  withHandovers,
} from './testing/sample-log.ts'
import type { Files } from './testing/sample-log.ts'
import { inclusionProof } from './tiles.ts'
import { verifyLog } from './verify-log.ts'
import type { LogVerdict } from './verify-log.ts'
import { verifyReceipt } from './verify-receipt.ts'

const [first, second, third] = [sampleKey(), sampleKey(), sampleKey()]

/** Changes its key at 300 and at 450, each handed over ten entries later. */
const entries = sampleEntries(600)
  .with(300, keyChange(first.vkey, second.vkey))
  .with(450, keyChange(second.vkey, third.vkey))
const log = publishEntries(entries, third)

let toSecond: string
let toThird: string
let files: Files
beforeAll(async () => {
  toSecond = await handover({ entries, index: 300, checkpoint: signedBy(entries, 310, first, second) })
  toThird = await handover({ entries, index: 450, checkpoint: signedBy(entries, 460, second, third) })
  files = withHandovers(log.files, [toSecond, toThird])
})

const verify = (source: Files, key: SignerKey = first, earlier?: string): Promise<LogVerdict> =>
  verifyLog({ source: memorySource(source), vkey: key.vkey, ...(earlier !== undefined && { earlier }) })

const publishedAs = (checkpoint: string, source: Files = files): Files =>
  withFile(source, 'checkpoint', encodeUtf8(checkpoint))

/** A whole log of these entries, signed by that key, with these handovers. */
const signed = (all: readonly LogEntry[], key: SignerKey, receipts: readonly string[]): Files =>
  withHandovers(publishEntries(all, key).files, receipts)

describe('a log that changed its key', () => {
  test('verifies with every key that it had, and says through which it went', async () => {
    const keys = [first, second, third].map(({ vkey }) => vkey)
    expect(await verify(files, first)).toMatchObject({ ok: true, size: 600, keys })
    expect(await verify(files, second)).toMatchObject({ ok: true, keys: keys.slice(1) })
    expect(await verify(files, third)).toMatchObject({ ok: true, keys: keys.slice(2) })
  })

  test('verifies with both keys at the checkpoint that both have signed, without further proof', async () => {
    const at = publishEntries(entries.slice(0, 310), first)
    const both = publishedAs(signedBy(entries, 310, first, second), at.files)
    expect(await verify(both, first)).toMatchObject({ ok: true, keys: [first.vkey, second.vkey] })
    expect(await verify(both, second)).toMatchObject({ ok: true, keys: [second.vkey] })
  })

  test('goes on from an earlier checkpoint by any of its keys', async () => {
    for (const [size, key] of [
      [200, first],
      [310, second],
      [400, second],
      [600, third],
    ] as const)
      expect(await verify(files, first, signedBy(entries, size, key))).toMatchObject({ ok: true })
    const other = entries.with(10, sampleEntry(9_999))
    expect(await verify(files, first, signedBy(other, 400, second))).toMatchObject({ reason: 'forked' })
    expect(await verify(files, first, signedBy(entries, 400, sampleKey()))).toMatchObject({
      reason: 'malformed-earlier',
    })
  })

  test('is verified before its next change, where the handover to that is published already', async () => {
    const before = publishEntries(entries.slice(0, 420), second)
    expect(await verify(withHandovers(before.files, [toSecond, toThird]))).toMatchObject({
      ok: true,
      keys: [first.vkey, second.vkey],
    })
  })

  test('is copied with what leads from key to key', async () => {
    const copy: Files = new Map()
    const writer = { write: async (path: string, bytes: Uint8Array) => void copy.set(path, bytes) }
    expect(await exportLog({ source: memorySource(files), writer, vkey: first.vkey })).toMatchObject({ ok: true })
    expect(await verify(copy)).toMatchObject({ ok: true, size: 600 })
  })
})

describe('it is refused', () => {
  test('with the earlier key, where nothing leads to the one that signs', async () => {
    expect(await verify(log.files)).toMatchObject({ ok: false, reason: 'not-signed' })
    expect(await verify(withHandovers(log.files, [toThird]))).toMatchObject({ reason: 'not-signed' })
    expect(await verify(withHandovers(log.files, [toThird, toSecond]))).toMatchObject({ reason: 'not-signed' })
    expect(await verify(withFile(files, 'key-handovers', encodeUtf8('{}')))).toMatchObject({ reason: 'not-signed' })
  })

  test('where no entry names the key that signs', async () => {
    const silent = sampleEntries(600)
    const receipt = await handover({ entries: silent, index: 300, checkpoint: signedBy(silent, 310, first, second) })
    expect(await verify(signed(silent, second, [receipt]))).toMatchObject({ reason: 'not-signed' })
  })

  test('where the key before has not signed that the next one was named', async () => {
    const own = await handover({ entries, index: 300, checkpoint: signedBy(entries, 310, second) })
    expect(await verify(withHandovers(log.files, [own, toThird]))).toMatchObject({ reason: 'not-signed' })
    // With the second key that is not asked; with the first it is, whoever signs besides.
    const both = publishedAs(signedBy(entries, 600, second, third), log.files)
    expect(await verify(both, second)).toMatchObject({ ok: true })
    const skipped = entries.with(450, keyChange(first.vkey, third.vkey))
    expect(await verify(signed(skipped, third, [toSecond]), first)).toMatchObject({ reason: 'not-signed' })
  })

  test('where it was rewritten under the entries that the key before had signed', async () => {
    for (const index of [0, 299, 305]) {
      const rewritten = entries.with(index, sampleEntry(9_999))
      expect(await verify(signed(rewritten, third, [toSecond, toThird]))).toMatchObject({ reason: 'forked' })
    }
  })

  test('where it names another next key than the one before has signed', async () => {
    const attacker = sampleKey()
    const own = sampleEntries(600).with(300, keyChange(first.vkey, attacker.vkey))
    expect(await verify(signed(own, attacker, [toSecond]))).toMatchObject({ reason: 'not-signed' })
    const renamed = entries.with(300, keyChange(first.vkey, attacker.vkey))
    expect(await verify(signed(renamed, third, [toSecond, toThird]))).toMatchObject({ reason: 'forked' })
  })

  test('where a key goes on signing after it was replaced', async () => {
    for (const key of [first, second])
      expect(await verify(publishedAs(signedBy(entries, 600, key)), key)).toMatchObject({ reason: 'replaced-key' })
    expect(await verify(publishedAs(signedBy(entries, 600, second)), first)).toMatchObject({ reason: 'replaced-key' })
    expect(await verify(publishedAs(signedBy(entries, 600, first, third), log.files))).toMatchObject({
      reason: 'not-handed-over',
    })
    // The handover itself is the last that both may sign.
    const later = publishedAs(signedBy(entries, 600, first, second))
    expect(await verify(later, second)).toMatchObject({ reason: 'replaced-key' })
  })

  test('where the next key is named by one that does not sign', async () => {
    const stolen = sampleKey()
    const late = entries.with(500, keyChange(first.vkey, stolen.vkey))
    expect(await verify(signed(late, third, [toSecond, toThird]))).toMatchObject({ reason: 'bad-key-change' })
    expect(await verify(signed(late, third, []), third)).toMatchObject({ reason: 'bad-key-change' })
  })

  test('where the next key is of another log, or none', async () => {
    for (const to of [sampleKey('other.example').vkey, '', `${second.vkey}x`]) {
      const odd = sampleEntries(600).with(300, keyChange(first.vkey, to))
      expect(await verify(publishEntries(odd, first).files)).toMatchObject({ reason: 'bad-key-change' })
    }
    const foreign = sampleKey('other.example')
    const moved = sampleEntries(600).with(300, keyChange(first.vkey, foreign.vkey))
    const receipt = await handover({ entries: moved, index: 300, checkpoint: signedBy(moved, 310, first) })
    expect(await verify(signed(moved, foreign, [receipt]))).toMatchObject({ reason: 'not-signed' })
  })

  test('where the key of its own is signed for under another name', async () => {
    const { root } = log
    const elsewhere = { ...third, name: 'other.example' }
    const note = signCheckpoint({ size: 600, root }, elsewhere)
    expect((await verify(publishedAs(note))).ok).toBe(false)
  })
})

describe('whatever is published as handovers', () => {
  test('leads nowhere else', async () => {
    const bytes = files.get('key-handovers') as Uint8Array
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (bit) => {
        const verdict = await verify(withFile(files, 'key-handovers', flipBit(bytes, bit)))
        expect(verdict).toMatchObject(
          verdict.ok ? { keys: [first.vkey, second.vkey, third.vkey] } : { reason: 'not-signed' },
        )
      }),
      { numRuns: 60 },
    )
  })

  test('is read in its form only, and in no other', () => {
    const key = parseVerifierKey(first.vkey) as VerifierKey
    const read = (text: string) => parseHandovers(encodeUtf8(text))
    expect(read(formatHandovers([toSecond]))).toEqual([toSecond])
    for (const text of ['', 'null', '{}', '[1]', '[["a"]]', '"a"', `["${'a'.repeat(limits.handoversBytes)}"]`])
      expect(read(text), text.slice(0, 20)).toBeUndefined()
    expect(read(JSON.stringify(Array.from({ length: limits.handovers + 1 }, () => '')))).toBeUndefined()
    expect(followHandovers(key, ['', 'c2sp.org/tlog-proof@v1\n', toThird, toSecond, toSecond])).toHaveLength(1)
  })
})

describe('a receipt by a later key', () => {
  const receiptWith = async (handovers: readonly string[] | undefined): Promise<string> => {
    const hashes = await inclusionProof({ index: 500, size: 600 }, log.readTile)
    const parts = { entry: entries[500] as LogEntry, disclosures: [], index: 500, hashes, checkpoint: log.checkpoint }
    return formatReceipt({ ...parts, ...(handovers && { handovers }) })
  }

  test('verifies with every key that the log had, and with no other', async () => {
    const receipt = await receiptWith([toSecond, toThird])
    for (const { vkey } of [first, second, third])
      expect(verifyReceipt(receipt, vkey)).toMatchObject({ ok: true, index: 500, size: 600 })
    expect(verifyReceipt(receipt, sampleKey().vkey)).toMatchObject({ ok: false, reason: 'not-signed' })
  })

  test('proves nothing to who knows an earlier key, where it does not lead there', async () => {
    for (const handovers of [undefined, [], [toSecond], [toThird], [toThird, toSecond]])
      expect(verifyReceipt(await receiptWith(handovers), first.vkey)).toMatchObject({ reason: 'not-signed' })
    expect(verifyReceipt(await receiptWith(undefined), third.vkey)).toMatchObject({ ok: true })
  })

  test('is refused where the entry is not in the tree, by whichever key', async () => {
    const receipt = await receiptWith([toSecond, toThird])
    const moved = receipt.replace('index 500', 'index 501')
    for (const { vkey } of [first, third]) expect(verifyReceipt(moved, vkey)).toMatchObject({ reason: 'not-included' })
  })
})

test('a receipt that was given before stays good with the key of its time', async () => {
  const before = publishEntries(entries.slice(0, 200), first)
  const hashes = await inclusionProof({ index: 7, size: 200 }, before.readTile)
  const parts = { entry: entries[7] as LogEntry, disclosures: [], index: 7, hashes, checkpoint: before.checkpoint }
  expect(verifyReceipt(formatReceipt(parts), first.vkey)).toMatchObject({ ok: true, size: 200 })
})
