import { describe, expect, test } from 'vitest'
import { systemRuntime } from './runtime.ts'

const { random } = systemRuntime
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('random bytes', () => {
  test('are as many as asked for, however many', () => {
    for (const count of [0, 1, 16, 4_095, 4_096, 4_097, 100_000]) expect(random(count)).toHaveLength(count)
  })

  test('never come twice, over the seams of what is fetched ahead', () => {
    const pieces = Array.from({ length: 5_000 }, () => hex(random(13)))
    expect(new Set(pieces).size).toBe(pieces.length)
  })

  test('take every value, at every place', () => {
    const seen = Array.from({ length: 13 }, () => new Set<number>())
    for (let n = 0; n < 10_000; n++) random(13).forEach((byte, place) => seen[place]?.add(byte))
    expect(seen.map(({ size }) => size)).toEqual(seen.map(() => 256))
  })

  test('are in memory of their own', () => {
    expect(random(32).buffer.byteLength).toBe(32)
  })
})
