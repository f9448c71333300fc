import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { encodeBundle } from './bundle.ts'
import { encodeUtf8 } from './bytes.ts'
import { signCheckpoint } from './checkpoint.ts'
import { encodeEntry } from './entry.ts'
import { emptyRoot } from './merkle.ts'
import {
  flipBit,
  memorySource,
  publish,
  publishEntries,
  sampleEntries,
  sampleEntry,
  sampleKey,
  withFile,
} from './testing/sample-log.ts'
import type { Files } from './testing/sample-log.ts'
import { verifyLog } from './verify-log.ts'
import type { LogVerdict } from './verify-log.ts'

const key = sampleKey()
const entries = sampleEntries(600)
const log = publishEntries(entries, key)
const verify = (files: Files, earlier?: string): Promise<LogVerdict> =>
  verifyLog({ source: memorySource(files), vkey: key.vkey, ...(earlier !== undefined && { earlier }) })
const file = (path: string): Uint8Array => log.files.get(path) as Uint8Array
const replace = (path: string, bytes: Uint8Array | undefined): Promise<LogVerdict> =>
  verify(withFile(log.files, path, bytes))

describe('a log as it was published', () => {
  test.each([0, 1, 2, 255, 256, 257, 511, 512, 600])('verifies at size %i', async (size) => {
    const whole = publishEntries(entries.slice(0, size), key)
    expect(await verify(whole.files)).toEqual({
      ok: true,
      size,
      root: whole.root,
      checkpoint: whole.checkpoint,
      keys: [key.vkey],
    })
  })

  test('verifies against every kind of earlier checkpoint of it', async () => {
    for (const size of [0, 1, 255, 256, 257, 512, 599, 600]) {
      expect((await verify(log.files, publishEntries(entries.slice(0, size), key).checkpoint)).ok).toBe(true)
    }
  })

  test('verifies where it has since grown, and its partial resources were replaced by full ones', async () => {
    const grown = publishEntries(sampleEntries(1_024), key)
    const files = new Map([...grown.files].filter(([path]) => path !== 'tile/1/000.p/4'))
    files.set('tile/1/000.p/2', file('tile/1/000.p/2'))
    files.set('checkpoint', file('checkpoint'))
    expect((await verify(files)).ok).toBe(true)
  })

  test('of more than 65,536 entries is verified up to its second level', async () => {
    const large = publishEntries(sampleEntries(65_540), key)
    const path = 'tile/2/000.p/1'
    const bad = await verify(withFile(large.files, path, flipBit(large.files.get(path) as Uint8Array, 0)))
    expect(bad).toMatchObject({ ok: false, reason: 'tile-mismatch', detail: expect.stringContaining(path) })
  })
})

describe('the first bad entry is named', () => {
  /** Where an entry's bytes begin in its bundle. */
  const offsetIn = (first: number, index: number): number =>
    entries.slice(first, index).reduce((sum, entry) => sum + 2 + encodeEntry(entry).length, 2)

  test.each([0, 100, 255])('where a byte of entry %i is turned', async (k) => {
    const bit = fc.sample(fc.nat(encodeEntry(entries[k] as (typeof entries)[number]).length * 8 - 1), 1)[0] as number
    const verdict = await replace('tile/entries/000', flipBit(file('tile/entries/000'), offsetIn(0, k) * 8 + bit))
    expect(verdict).toMatchObject({ ok: false, reason: 'entry-mismatch', index: k })
  })

  test('where it was replaced by another entry in good form', async () => {
    const changed = entries.slice(512).with(10, sampleEntry(9_999)).map(encodeEntry)
    const verdict = await replace('tile/entries/002.p/88', encodeBundle(changed))
    expect(verdict).toMatchObject({
      ok: false,
      reason: 'entry-mismatch',
      index: 522,
      detail: expect.stringContaining('522'),
    })
  })

  test('where its bundle is cut short', async () => {
    const verdict = await replace('tile/entries/000', file('tile/entries/000').subarray(0, offsetIn(0, 7) + 3))
    expect(verdict).toMatchObject({ ok: false, reason: 'malformed-bundle', index: 7 })
  })

  test('where its length is wrong, so that the rest of the bundle is unreadable', async () => {
    const verdict = await replace('tile/entries/000', flipBit(file('tile/entries/000'), (offsetIn(0, 7) - 2) * 8))
    expect(verdict).toMatchObject({ ok: false, reason: 'entry-mismatch', index: 7 })
  })

  test('where two entries changed places', async () => {
    const swapped = entries.slice(256, 512).map(encodeEntry)
    swapped.splice(3, 2, ...swapped.slice(3, 5).toReversed())
    expect(await replace('tile/entries/001', encodeBundle(swapped))).toMatchObject({
      reason: 'entry-mismatch',
      index: 259,
    })
  })

  test('where it is logged and signed, but no canonical entry', async () => {
    const bytes = entries.map(encodeEntry).with(300, encodeUtf8('{"v": 1}'))
    expect(await verify(publish(bytes, key).files)).toMatchObject({ ok: false, reason: 'malformed-entry', index: 300 })
  })
})

describe('a log is refused', () => {
  test('where a tile is not of its entries, though these are as signed', async () => {
    expect(await replace('tile/0/001', flipBit(file('tile/0/001'), 256 * 5))).toMatchObject({
      ok: false,
      reason: 'tile-mismatch',
      detail: expect.stringContaining('tile/0/001 is not of this tree, at hash 261'),
    })
    expect(await replace('tile/1/000.p/2', flipBit(file('tile/1/000.p/2'), 0))).toMatchObject({
      reason: 'tile-mismatch',
    })
  })

  test('where entries and level 0 were rewritten together', async () => {
    const rewritten = publishEntries(entries.with(300, sampleEntry(9_999)), key)
    const files = withFile(log.files, 'tile/entries/001', rewritten.files.get('tile/entries/001'))
    const verdict = await verify(withFile(files, 'tile/0/001', rewritten.files.get('tile/0/001')))
    expect(verdict).toMatchObject({ reason: 'root-mismatch', detail: expect.stringContaining('among 256 to 511') })
  })

  test('where everything but the checkpoint was rewritten', async () => {
    const rewritten = publishEntries(entries.with(300, sampleEntry(9_999)), key)
    const verdict = await verify(withFile(rewritten.files, 'checkpoint', file('checkpoint')))
    expect(verdict).toMatchObject({ ok: false, reason: 'root-mismatch' })
  })

  test('where it was rewritten and signed anew, by whoever kept an earlier checkpoint', async () => {
    const forked = publishEntries(sampleEntries(700).with(300, sampleEntry(9_999)), key)
    expect((await verify(forked.files)).ok).toBe(true)
    expect(await verify(forked.files, log.checkpoint)).toMatchObject({ ok: false, reason: 'forked' })
    const sameSize = publishEntries(entries.with(300, sampleEntry(9_999)), key)
    expect(await verify(sameSize.files, log.checkpoint)).toMatchObject({ ok: false, reason: 'forked' })
    const early = publishEntries(sampleEntries(300).with(299, sampleEntry(9_999)), key)
    expect(await verify(log.files, early.checkpoint)).toMatchObject({ ok: false, reason: 'forked' })
    const strange = signCheckpoint({ size: 0, root: log.root }, key)
    expect(await verify(log.files, strange)).toMatchObject({ ok: false, reason: 'forked' })
  })

  test('where its tail was cut', async () => {
    const cut = publishEntries(entries.slice(0, 599), key)
    expect(await verify(cut.files, log.checkpoint)).toMatchObject({ ok: false, reason: 'shrunk' })
  })

  test('where a resource is missing, which is named', async () => {
    for (const path of log.files.keys()) {
      const verdict = await replace(path, undefined)
      expect(verdict).toMatchObject({ ok: false, reason: 'missing', detail: `${path} is missing` })
    }
  })

  test('where the key, the origin or the earlier checkpoint is of another log', async () => {
    const other = sampleKey('other.example')
    const foreign = publishEntries(entries, other)
    const source = memorySource(log.files)
    expect(await verifyLog({ source, vkey: other.vkey })).toMatchObject({ reason: 'not-signed' })
    expect(await verifyLog({ source, vkey: sampleKey().vkey })).toMatchObject({ reason: 'not-signed' })
    expect(await verifyLog({ source, vkey: '' })).toMatchObject({ reason: 'malformed-key' })
    expect(await verify(log.files, foreign.checkpoint)).toMatchObject({ reason: 'malformed-earlier' })
    expect(await verify(log.files, '')).toMatchObject({ reason: 'malformed-earlier' })
  })

  test('where it is signed as larger or smaller than it is', async () => {
    for (const size of [599, 601, 1, 2 ** 53 - 1]) {
      const checkpoint = encodeUtf8(signCheckpoint({ size, root: log.root }, key))
      expect((await replace('checkpoint', checkpoint)).ok).toBe(false)
    }
    const empty = encodeUtf8(signCheckpoint({ size: 600, root: emptyRoot }, key))
    expect(await replace('checkpoint', empty)).toMatchObject({ reason: 'root-mismatch' })
  })

  test('where the source fails, however it fails', async () => {
    const failing = (read: () => Promise<never>): Promise<LogVerdict> => verifyLog({ source: { read }, vkey: key.vkey })
    expect(await failing(() => Promise.reject(new Error('disk on fire')))).toMatchObject({
      reason: 'unreadable',
      detail: 'checkpoint cannot be read: disk on fire',
    })
    expect(
      await failing(() => {
        throw 'no error at all'
      }),
    ).toMatchObject({ reason: 'unreadable' })
  })
})

describe('whatever a hostile source does', () => {
  const paths = [...log.files.keys()]
  const path = fc.constantFrom(...paths)
  const mutation = fc.oneof(
    fc.tuple(path, fc.nat()).map(([at, bit]) => withFile(log.files, at, flipBit(file(at), bit))),
    fc.tuple(path, fc.nat()).map(([at, n]) => withFile(log.files, at, file(at).subarray(0, n % file(at).length))),
    fc.tuple(path, fc.uint8Array()).map(([at, more]) => withFile(log.files, at, Buffer.concat([file(at), more]))),
    fc.tuple(path, fc.uint8Array({ maxLength: 9_000 })).map(([at, bytes]) => withFile(log.files, at, bytes)),
    fc.tuple(path, path).map(([a, b]) => withFile(withFile(log.files, a, file(b)), b, file(a))),
  )

  test('one file changed is enough to be refused, and nothing throws', async () => {
    await fc.assert(
      fc.asyncProperty(mutation, async (files) => {
        fc.pre(paths.some((at) => Buffer.compare(files.get(at) as Uint8Array, file(at)) !== 0))
        expect((await verify(files)).ok).toBe(false)
      }),
      { numRuns: 120 },
    )
  })
})
