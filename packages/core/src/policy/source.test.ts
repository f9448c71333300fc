import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { offsetOfByte, positionAt, scanPolicies, sizeInBytes } from './source.ts'

describe('positions', () => {
  test('count characters, not bytes and not code units', () => {
    expect(positionAt('é🎉x', 3)).toEqual({ line: 1, column: 3 })
    expect(positionAt('é🎉\nx', 4)).toEqual({ line: 2, column: 1 })
  })

  test('take a carriage return before a line feed as part of the line end', () => {
    expect(positionAt('a\r\nbc', 4)).toEqual({ line: 2, column: 2 })
  })

  test('of bytes agree with the encoder for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, behind) => {
        const bytes = new TextEncoder().encode(before).length
        expect(sizeInBytes(before)).toBe(bytes)
        expect(offsetOfByte(before + behind, bytes)).toBe(before.length)
      }),
    )
  })
})

describe('policies are found in text', () => {
  test('where comments and strings hold what looks like policy', () => {
    const text = '// permit(a); "\n@id("x;//\\"@id") /* no such comment */ permit (principal, action, resource);'
    const [source, ...more] = scanPolicies(text)
    expect(more).toEqual([])
    expect(source?.start).toBe(text.indexOf('@id'))
    expect(source?.annotations).toEqual([{ name: 'id', at: text.indexOf('@id') }])
  })

  test('with annotations that have no value', () => {
    const [source] = scanPolicies('@one @two ("x") @permit permit (principal, action, resource);')
    expect(source?.annotations.map(({ name }) => name)).toEqual(['one', 'two', 'permit'])
    expect(source?.head).toBe(24)
  })

  test('up to a carriage return in a comment, as Cedar reads it', () => {
    expect(scanPolicies('// x\rpermit (principal, action, resource);')).toHaveLength(1)
    expect(scanPolicies('// x\u2028permit (principal, action, resource);')).toHaveLength(0)
  })
})
