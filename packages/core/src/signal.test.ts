import { expect, test } from 'vitest'
import type { Signal } from './signal.ts'
import { isFresh } from './signal.ts'
import { instant } from './time.ts'

const signal: Signal = {
  name: 'device',
  subject: 'user:alice',
  value: { compliant: true },
  source: 'service:mdm',
  observedAt: instant(1_000),
  staleAt: instant(2_000),
}

test.each([
  [999, false, 'before it was observed'],
  [1_000, true, 'when it was observed'],
  [1_999, true, 'to the last millisecond'],
  [2_000, false, 'from the instant it goes stale'],
])('at %i a signal of 1000 to 2000 counts: %s, %s', (now, fresh) => {
  expect(isFresh(signal, instant(now))).toBe(fresh)
})
