import fc from 'fast-check'
import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import type { Clock } from '../postgres/shell/clock.ts'
import { createTestClock } from '../postgres/testing/clock.ts'
import { createServerClock, type Reading } from './server-clock.ts'

/** A machine whose two clocks a test moves apart. */
function createMachine(start = 1_000_000) {
  let steadyMs = 0
  const wall = createTestClock(start)
  const base: Clock = { now: wall.now, at: wall.at, elapsedMs: () => steadyMs }
  return {
    base,
    pass(ms: number) {
      steadyMs += ms
      wall.advance(ms)
    },
    /** Somebody sets the time of day. */
    set: (byMs: number) => wall.advance(byMs),
    /** It stands still with the machine. */
    sleep: (ms: number) => wall.advance(ms),
  }
}

test('is never behind the server, however long either way takes, and not ahead by more than the quickest answer took', () => {
  const trips = fc.array(fc.record({ there: fc.nat(500), back: fc.nat(500), apart: fc.nat(5_000) }), { minLength: 1 })
  fc.assert(
    fc.property(trips, fc.integer({ min: -1e7, max: 1e7 }), (list, ahead) => {
      const machine = createMachine()
      const clock = createServerClock(machine.base)
      const server = (): number => machine.base.now() + ahead
      let quickest = Infinity
      for (const { there, back, apart } of list) {
        machine.pass(apart)
        const sent: Reading = clock.read()
        machine.pass(there)
        const said = instant(server())
        machine.pass(back)
        clock.learn(said, sent)
        quickest = Math.min(quickest, there + back)
        expect(clock.now()).toBeGreaterThanOrEqual(server())
      }
      // What clocks may drift apart is added, some tenths of a millisecond for each second.
      const passedMs = machine.base.elapsedMs()
      expect(clock.now() - server()).toBeLessThanOrEqual(quickest + passedMs * 2e-4 + 1)
    }),
  )
})

test('an alarm rings at the server’s time, also when that turns out to be later than was thought', () => {
  const machine = createMachine()
  const clock = createServerClock(machine.base)
  const rung: number[] = []
  clock.at(instant(1_010_000), () => rung.push(clock.now()))
  const taken = clock.at(instant(1_010_000), () => rung.push(0))
  taken()
  clock.learn(instant(1_008_000), clock.read())
  machine.pass(1_999)
  expect(rung).toEqual([])
  machine.pass(1)
  expect(rung).toEqual([1_010_000])
})

test('an alarm that went off before its time, by the server, waits for it', () => {
  const machine = createMachine()
  const clock = createServerClock(machine.base)
  const rung: number[] = []
  clock.at(instant(1_010_000), () => rung.push(clock.now()))
  clock.learn(instant(995_000), clock.read())
  machine.pass(10_000)
  expect(rung).toEqual([])
  machine.pass(5_000)
  expect(rung).toEqual([1_010_000])
})

test('a clock that is set back keeps nothing open', () => {
  const machine = createMachine()
  const clock = createServerClock(machine.base)
  clock.learn(instant(1_000_000), clock.read())
  machine.set(-3_600_000)
  machine.pass(1_000)
  expect(clock.now()).toBe(1_001_000)
})

test('a machine that slept has not slept for the server', () => {
  const machine = createMachine()
  const clock = createServerClock(machine.base)
  clock.learn(instant(1_000_000), clock.read())
  machine.sleep(600_000)
  expect(clock.now()).toBe(1_600_000)
})
