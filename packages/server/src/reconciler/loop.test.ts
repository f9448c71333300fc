import type { Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLoop } from './loop.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

const now = (): Instant => instant(Date.now())

/** A loop whose passes take as long as the test says, and how often it passed. */
function setUp({ nextAt = async (): Promise<Instant | undefined> => undefined, pass = async () => {} } = {}) {
  const failures: unknown[] = []
  let passes = 0
  const loop = createLoop({
    async pass() {
      passes++
      await pass()
    },
    nextAt,
    longestWaitMs: 30_000,
    now,
    failed: (error) => failures.push(error),
  })
  return { loop, failures, passes: () => passes }
}

/** A promise that the test settles. */
function gate() {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}

const settle = () => vi.advanceTimersByTimeAsync(0)

test('it looks when it is started, and then every so often', async () => {
  const { loop, passes } = setUp()
  loop.start()
  await vi.advanceTimersByTimeAsync(29_999)
  expect(passes()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(passes()).toBe(2)
  await vi.advanceTimersByTimeAsync(90_000)
  expect(passes()).toBe(5)
  await loop.stop()
})

test('it looks at the next deadline, and no sooner', async () => {
  const due = instant(Date.now() + 700)
  const { loop, passes } = setUp({ nextAt: async () => (now() < due ? due : undefined) })
  loop.start()
  await vi.advanceTimersByTimeAsync(699)
  expect(passes()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(passes()).toBe(2)
  await loop.stop()
})

test('a deadline far away does not keep it from looking every so often', async () => {
  const { loop, passes } = setUp({ nextAt: async () => instant(Date.now() + 90 * 86_400_000) })
  loop.start()
  await vi.advanceTimersByTimeAsync(30_000)
  expect(passes()).toBe(2)
  await loop.stop()
})

test('what is due and stays so, in the hands of another process, is looked at again without spinning', async () => {
  const { loop, passes } = setUp({ nextAt: async () => instant(Date.now() - 1) })
  loop.start()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(passes()).toBeGreaterThan(5)
  expect(passes()).toBeLessThan(50)
  await loop.stop()
})

test('a hint of work that is due looks at once, and does not shift the rhythm into two', async () => {
  const { loop, passes } = setUp()
  loop.start()
  await vi.advanceTimersByTimeAsync(10_000)
  loop.expect(now())
  await settle()
  expect(passes()).toBe(2)
  await vi.advanceTimersByTimeAsync(29_999)
  expect(passes()).toBe(2)
  await vi.advanceTimersByTimeAsync(1)
  expect(passes()).toBe(3)
  await loop.stop()
})

test('it looks at the earliest time that it was told of, and not at those besides', async () => {
  const { loop, passes } = setUp()
  loop.start()
  await settle()
  for (const ms of [900, 700, 800, 60_000]) loop.expect(instant(Date.now() + ms))
  await vi.advanceTimersByTimeAsync(699)
  expect(passes()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(passes()).toBe(2)
  await vi.advanceTimersByTimeAsync(29_999)
  expect(passes()).toBe(2)
  await loop.stop()
})

test('a time that is over and was not looked at yet is not put off for a later one', async () => {
  const { loop, passes } = setUp()
  loop.start()
  await settle()
  // As when the process is late, or the clock is set forward: the timer has not gone off.
  vi.setSystemTime(Date.now() + 31_000)
  loop.expect(instant(Date.now() + 3_600_000))
  await settle()
  expect(passes()).toBe(2)
  await loop.stop()
})

test('however many hints come during a pass, one more pass follows, and never two at once', async () => {
  const { opened, open } = gate()
  let underWay = 0
  let most = 0
  const { loop, passes } = setUp({
    async pass() {
      most = Math.max(most, ++underWay)
      await opened
      underWay--
    },
  })
  loop.start()
  for (let i = 0; i < 100; i++) loop.expect(now())
  open()
  await settle()
  expect(passes()).toBe(2)
  expect(most).toBe(1)
  await loop.stop()
})

test('a hint that comes while it reads the next deadline is not lost', async () => {
  const reading = gate()
  let first = true
  const { loop, passes } = setUp({
    async nextAt() {
      if (first) await reading.opened
      first = false
      return undefined
    },
  })
  loop.start()
  await settle()
  loop.expect(now())
  reading.open()
  await settle()
  expect(passes()).toBe(2)
  await loop.stop()
})

test('a pass that fails is reported, and tried again after a pause', async () => {
  let broken = true
  const { loop, passes, failures } = setUp({
    async pass() {
      if (broken) throw new Error('the store is down')
    },
  })
  loop.start()
  await vi.advanceTimersByTimeAsync(499)
  expect(passes()).toBe(1)
  await vi.advanceTimersByTimeAsync(501)
  expect(failures).toHaveLength(3)
  broken = false
  await vi.advanceTimersByTimeAsync(500)
  expect(failures).toHaveLength(3)
  expect(passes()).toBe(4)
  await vi.advanceTimersByTimeAsync(29_000)
  expect(passes()).toBe(4)
  await loop.stop()
})

test('a deadline that cannot be read counts as a failure', async () => {
  const { loop, failures } = setUp({
    async nextAt() {
      throw new Error('the store is down')
    },
  })
  loop.start()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(failures).toHaveLength(3)
  await loop.stop()
})

test('a stop waits for the pass that is running, and nothing follows it', async () => {
  const { opened, open } = gate()
  const { loop, passes } = setUp({ pass: () => opened })
  loop.start()
  loop.expect(now())
  let stopped = false
  const stopping = loop.stop().then(() => (stopped = true))
  await settle()
  expect(stopped).toBe(false)
  open()
  await stopping
  loop.expect(now())
  await vi.advanceTimersByTimeAsync(60_000)
  expect(passes()).toBe(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('before it is started a hint does nothing', async () => {
  const { loop, passes } = setUp()
  loop.expect(now())
  await vi.advanceTimersByTimeAsync(60_000)
  expect(passes()).toBe(0)
  await loop.stop()
})

test('what it is told of during a pass has its time, and is not looked at before', async () => {
  const { opened, open } = gate()
  let first = true
  const pass = async (): Promise<void> => {
    if (first) await opened
    first = false
  }
  const { loop, passes } = setUp({ pass })
  loop.start()
  loop.expect(instant(Date.now() + 100))
  loop.expect(instant(Date.now() + 5_000))
  open()
  await vi.advanceTimersByTimeAsync(99)
  expect(passes()).toBe(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(passes()).toBe(2)
  await loop.stop()
})
