import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { decodeBundle, encodeBundle } from './bundle.ts'

const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 256 })

describe('an entry bundle', () => {
  test('has a big-endian uint16 before each entry', () => {
    const bundle = encodeBundle([new Uint8Array(0), new Uint8Array(258).fill(9)])
    expect([...bundle.subarray(0, 5)]).toEqual([0, 0, 1, 2, 9])
  })

  test('is read back, and only with its own width', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const bundle = encodeBundle(list)
        expect(decodeBundle(bundle, list.length)?.map((entry) => [...entry])).toEqual(list.map((entry) => [...entry]))
        expect(decodeBundle(bundle, list.length + 1)).toBeUndefined()
        if (list.length > 0) expect(decodeBundle(bundle, list.length - 1)).toBeUndefined()
      }),
    )
  })

  test('is refused where it is cut anywhere or has anything behind it', () => {
    const bundle = encodeBundle([Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)])
    for (let end = 0; end < bundle.length; end++) expect(decodeBundle(bundle.subarray(0, end), 3)).toBeUndefined()
    expect(decodeBundle(Buffer.concat([bundle, Uint8Array.of(0)]), 3)).toBeUndefined()
  })

  test('has at most 256 entries, of at most 65,535 bytes', () => {
    const largest = new Uint8Array(65_535)
    expect(decodeBundle(encodeBundle([largest]), 1)?.[0]).toHaveLength(65_535)
    expect(() => encodeBundle([new Uint8Array(65_536)])).toThrow(RangeError)
    expect(() => encodeBundle(Array.from({ length: 257 }, () => new Uint8Array(0)))).toThrow(RangeError)
  })
})
