import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoff } from './backoff.ts'
import { reconcilerLimits } from './limits.ts'

const { firstRetryMs, slowestRetryMs } = reconcilerLimits
const byte = (value: number) => () => Uint8Array.of(value)
const failures = fc.integer({ min: 1, max: 1_000_000 })

test('a wait is between the half and the whole of a bound that doubles, and never above the slowest', () => {
  fc.assert(
    fc.property(failures, fc.nat(255), (count, value) => {
      const bound = Math.min(slowestRetryMs, firstRetryMs * 2 ** (count - 1))
      const wait = backoff(count, byte(value))
      expect(wait).toBeGreaterThanOrEqual(bound / 2)
      expect(wait).toBeLessThanOrEqual(bound)
      expect(Number.isInteger(wait)).toBe(true)
    }),
  )
})

test('with the same luck it never gets shorter, and there is no last attempt', () => {
  fc.assert(
    fc.property(failures, fc.nat(255), (count, value) => {
      expect(backoff(count + 1, byte(value))).toBeGreaterThanOrEqual(backoff(count, byte(value)))
    }),
  )
  expect(backoff(Number.MAX_SAFE_INTEGER, byte(255))).toBe(slowestRetryMs)
})

test('the jitter spreads over the whole of the upper half', () => {
  expect([backoff(1, byte(0)), backoff(1, byte(255))]).toEqual([firstRetryMs / 2, firstRetryMs])
})
