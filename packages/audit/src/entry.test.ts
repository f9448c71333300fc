import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { encodeUtf8 } from './bytes.ts'
import { decodeEntry, encodeEntry } from './entry.ts'
import type { LogEntry } from './entry.ts'
import { sampleEntry } from './testing/sample-log.ts'

describe('an entry', () => {
  test('is read back from its bytes', () => {
    const entry = sampleEntry(1, { reason: 'Größe' })
    expect(decodeEntry(encodeEntry(entry))).toEqual({ ok: true, entry })
  })

  test('of 65,535 bytes is the largest', () => {
    const rest = 65_535 - encodeEntry(sampleEntry(1, { note: '' })).length
    expect(encodeEntry(sampleEntry(1, { note: 'x'.repeat(rest) }))).toHaveLength(65_535)
    expect(() => encodeEntry(sampleEntry(1, { note: 'x'.repeat(rest + 1) }))).toThrow(RangeError)
  })

  test.each([
    ['another version', { v: 2 }, 'v'],
    ['no id', { id: '' }, 'id'],
    ['no type', { type: 3 }, 'type'],
    ['a time without offset', { at: '2026-03-01T09:30:00' }, 'at'],
    ['an impossible date', { at: '2026-02-30T09:30:00Z' }, 'at'],
    ['an impossible month', { at: '2026-13-01T09:30:00Z' }, 'at'],
    ['an impossible hour', { at: '2026-03-01T25:30:00Z' }, 'at'],
    ['a time that is a number', { at: 0 }, 'at'],
  ])('with %s is refused by name of the field', (_, fields, name) => {
    const entry = { ...sampleEntry(1), ...fields } as unknown as LogEntry
    expect(() => encodeEntry(entry)).toThrow(`"${name}"`)
    const decoded = decodeEntry(encodeUtf8(JSON.stringify(Object.fromEntries(Object.entries(entry).toSorted()))))
    expect(decoded).toMatchObject({
      ok: false,
      reason: 'malformed-entry',
      detail: expect.stringContaining(`"${name}"`),
    })
  })

  test.each(['', 'null', '[]', '{"v":1}', '{ "v": 1 }'])('is not %j', (text) => {
    expect(decodeEntry(encodeUtf8(text))).toMatchObject({ ok: false, reason: 'malformed-entry' })
  })

  test('is refused in any other form of the same JSON', () => {
    const spaced = JSON.stringify(sampleEntry(1), null, 1)
    expect(decodeEntry(encodeUtf8(spaced)).ok).toBe(false)
    expect(decodeEntry(new Uint8Array(65_536)).ok).toBe(false)
  })

  test('decoding never throws', () => {
    const nearly = fc.string().map((at) => encodeUtf8(JSON.stringify({ at, id: 'e', type: 't', v: 1 })))
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), nearly), (bytes) => typeof decodeEntry(bytes).ok === 'boolean'))
  })
})
