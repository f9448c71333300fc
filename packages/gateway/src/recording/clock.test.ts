import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { createDueQueue } from './clock.ts'
import { manualClock } from './testing/manual-clock.ts'

test('what waits for the same time is due in order, with one timer, and none when nothing waits', () => {
  const clock = manualClock()
  const due: string[] = []
  const queue = createDueQueue<string>(clock, { delayMs: 100 }, (item) => due.push(item))
  queue.add('a')
  clock.advance(40)
  queue.add('b')
  expect(clock.timers()).toBe(1)
  clock.advance(60)
  expect(due).toEqual(['a'])
  clock.advance(39)
  expect(due).toEqual(['a'])
  clock.advance(1)
  expect({ due, timers: clock.timers() }).toEqual({ due: ['a', 'b'], timers: 0 })
  queue.add('c')
  queue.stop()
  clock.advance(1_000)
  expect({ due, timers: clock.timers() }).toEqual({ due: ['a', 'b'], timers: 0 })
})

test('a clock that is set back by an hour keeps nothing waiting for an hour', () => {
  let now = 10_000_000
  let ring = (): void => undefined
  const due: string[] = []
  const clock = {
    now: () => instant(now),
    after: (_ms: number, call: () => void) => {
      ring = call
      return () => undefined
    },
  }
  const queue = createDueQueue<string>(clock, { delayMs: 100 }, (item) => due.push(item))
  queue.add('a')
  now -= 3_600_000
  ring()
  expect(due).toEqual(['a'])
})

test('who is due soon after the first goes along with it, and who is due later has a wait of its own', () => {
  const clock = manualClock()
  const due: string[] = []
  const queue = createDueQueue<string>(clock, { delayMs: 100, togetherMs: 20 }, (item) => due.push(item))
  for (const [item, ms] of [
    ['a', 15],
    ['b', 5],
    ['c', 10],
    ['d', 69],
  ] as const) {
    queue.add(item)
    clock.advance(ms)
  }
  expect(due).toEqual([])
  clock.advance(1)
  expect(due).toEqual(['a', 'b', 'c'])
  clock.advance(29)
  expect(due).toEqual(['a', 'b', 'c'])
  clock.advance(1)
  expect(due).toEqual(['a', 'b', 'c', 'd'])
})
