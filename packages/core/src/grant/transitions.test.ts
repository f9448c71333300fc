import { expect, test } from 'vitest'
import type { GrantState } from './transitions.ts'
import { grantMayGo, grantStates, grantTransitions, isLive } from './transitions.ts'

const from = (state: GrantState): GrantState[] =>
  grantTransitions.filter((one) => one.from === state).map(({ to }) => to)

const reachable = (start: GrantState): Set<GrantState> => {
  const seen = new Set<GrantState>([start])
  // A set is gone through to its end, also as it grows.
  for (const state of seen) for (const next of from(state)) seen.add(next)
  return seen
}

test('every state is reached from the first, and the end from every state', () => {
  expect([...reachable('scheduled')].toSorted()).toEqual(grantStates.toSorted())
  for (const state of grantStates) expect(reachable(state), state).toContain('ended')
})

test('nothing follows the end, and only the end follows ending', () => {
  expect(from('ended')).toEqual([])
  expect(from('ending')).toEqual(['ended'])
})

test('a grant goes where the table says, and nowhere else', () => {
  for (const a of grantStates) for (const b of grantStates) expect(grantMayGo(a, b)).toBe(from(a).includes(b))
})

test('each transition stands in the table once, and never from a state to itself', () => {
  const keys = grantTransitions.map((one) => `${one.from}>${one.to}`)
  expect(new Set(keys).size).toBe(keys.length)
  for (const one of grantTransitions) expect(one.from).not.toBe(one.to)
})

test('from a state in which something may be on the target, the end is reached through ending or a clean failure', () => {
  const straight = grantStates.filter((state) => isLive(state) && grantMayGo(state, 'ended'))
  expect(straight).toEqual(['provisioning', 'ending'])
})
