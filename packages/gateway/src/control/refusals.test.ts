import type { Instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { createTestClock } from '../postgres/testing/clock.ts'
import type { SessionReport } from './contract.ts'
import { controlLimits as limits } from './limits.ts'
import { createRefusals } from './refusals.ts'
import { createReportQueue } from './report-queue.ts'

function createWorld() {
  const clock = createTestClock()
  const told: SessionReport[] = []
  const refusals = createRefusals({
    session: 'a',
    now: (): Instant => clock.now(),
    tell: (report) => told.push(report),
  })
  const counts = () => told.map((one) => (one.what === 'refused' ? [one.rule, one.first, one.last, one.count] : []))
  return { clock, refusals, counts }
}

test('the first by a rule is told at once, then how many there are, once in a while', () => {
  const { clock, refusals, counts } = createWorld()
  for (const statement of [3, 4, 5]) refusals.add({ statement, rule: 'files' })
  refusals.add({ statement: 6, rule: 'code' })
  expect(counts()).toEqual([
    ['files', 3, 3, 1],
    ['code', 6, 6, 1],
  ])
  clock.advance(limits.refusedEveryMs)
  for (const statement of [7, 8]) refusals.add({ statement, rule: 'files' })
  expect(counts().slice(2)).toEqual([['files', 3, 7, 4]])
})

test('at the end what is not told is told, and only that', () => {
  const { refusals, counts } = createWorld()
  for (const statement of [1, 2]) refusals.add({ statement, rule: 'files' })
  refusals.add({ statement: 3, rule: 'code' })
  refusals.rest()
  refusals.rest()
  expect(counts().slice(2)).toEqual([['files', 1, 2, 2]])
})

test('while it waits, a later count takes the place of an earlier one of its rule and session', () => {
  const queue = createReportQueue()
  const refused = (session: string, rule: string, count: number): SessionReport => ({
    what: 'refused',
    session,
    at: '2026-01-05T09:00:00.000Z',
    rule,
    first: 1,
    last: count,
    count,
  })
  const all = [refused('a', 'x', 1), refused('a', 'y', 1), refused('b', 'x', 1), refused('a', 'x', 5)]
  for (const report of all) queue.add(report)
  expect(queue.peek(10).map(({ report }) => report)).toEqual([all[3], all[1], all[2]])
})
