import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createAllowances, createThrottle, neighbourhood } from './throttle.ts'

const limits = {
  perAddress: { burst: 3, everyMs: 1_000 },
  together: { burst: 10, everyMs: 100 },
  addresses: 100,
}

function started(more: Partial<typeof limits> = {}) {
  let nowMs = 0
  const throttle = createThrottle({ limits: { ...limits, ...more }, elapsedMs: () => nowMs })
  const taken = (address: string, times: number): number =>
    Array.from({ length: times }, () => throttle.take(address)).filter((wait) => wait === undefined).length
  return { ...throttle, taken, pass: (ms: number) => void (nowMs += ms) }
}

test('one address has its burst, and then one for every while; it is told how long to wait', () => {
  const { take, taken, pass } = started()
  expect(taken('192.0.2.1', 5)).toBe(3)
  expect(take('192.0.2.1')).toBe(1_000)
  pass(400)
  expect(take('192.0.2.1')).toBe(600)
  pass(600)
  expect(taken('192.0.2.1', 2)).toBe(1)
  pass(3_600_000)
  expect(taken('192.0.2.1', 5)).toBe(3)
})

test('a flood from one address uses up nothing of the others', () => {
  const { taken } = started()
  taken('192.0.2.1', 10_000)
  expect(taken('192.0.2.2', 3)).toBe(3)
})

test('a flood from many addresses is bounded as a whole, and whoever was right lately is not kept out by it', () => {
  const { taken, trust } = started()
  trust('192.0.2.1')
  const through = Array.from({ length: 200 }, (_, i) => taken(`198.51.100.${i}`, 3)).reduce((a, b) => a + b)
  expect(through).toBe(10)
  expect(taken('192.0.2.2', 1)).toBe(0)
  expect(taken('192.0.2.1', 5)).toBe(3)
})

test('of more addresses than are remembered those heard of last are', () => {
  const { taken } = started({ addresses: 2, together: { burst: 1_000, everyMs: 1 } })
  expect(taken('a', 9)).toBe(3)
  expect(taken('b', 9)).toBe(3)
  expect(taken('a', 9)).toBe(0)
  expect(taken('c', 9)).toBe(3)
  expect(taken('a', 9)).toBe(0)
  expect(taken('b', 9)).toBe(3)
})

test('whatever is tried when, no more gets through than the allowance of all', () => {
  const tries = fc.array(fc.record({ address: fc.constantFrom('a', 'b', 'c', 'd', 'e'), afterMs: fc.nat(300) }))
  fc.assert(
    fc.property(tries, (list) => {
      const { take, pass } = started()
      let through = 0
      let overMs = 0
      for (const { address, afterMs } of list) {
        pass(afterMs)
        overMs += afterMs
        if (take(address) === undefined) through += 1
      }
      expect(through).toBeLessThanOrEqual(10 + overMs / 100)
    }),
  )
})

test.each([
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('%s counts as %s', (address, counted) => {
  expect(neighbourhood(address)).toBe(counted)
})

test('what is counted afterwards runs out, comes back with time, and is each one’s own; many at once wait the longer', () => {
  let nowMs = 0
  const limits = { each: { burst: 2, everyMs: 1_000 }, names: 10 }
  const { wait, spend } = createAllowances({ limits, elapsedMs: () => nowMs })
  for (let times = 0; times < 4; times++) {
    expect(wait('user:alice')).toBe(times < 2 ? undefined : (times - 1) * 1_000)
    spend('user:alice')
  }
  expect(wait('user:alice')).toBe(3_000)
  expect(wait('user:bob')).toBeUndefined()
  nowMs = 3_000
  expect(wait('user:alice')).toBeUndefined()
  nowMs = 1_000_000
  for (let times = 0; times < 2; times++) {
    expect(wait('user:alice')).toBeUndefined()
    spend('user:alice')
  }
  expect(wait('user:alice')).toBe(1_000)
})
