import { expect, test } from 'vitest'
import { postgresLimits as limits } from '../limits.ts'
import { type Comer, createCredits } from './credits.ts'

const comer = (user: string, more: Partial<Comer> = {}): Comer => ({
  login: { user, database: 'orders' },
  address: '10.0.0.1',
  ...more,
})

test('a proof is good once', () => {
  const { earn, spend } = createCredits(() => 0)
  expect(spend(comer('alice'))).toBe(false)
  earn(comer('alice'))
  expect([spend(comer('alice')), spend(comer('alice'))]).toEqual([true, false])
})

test.each([
  ['another login', comer('bob')],
  ['another database', comer('alice', { login: { user: 'alice', database: 'other' } })],
  ['another address', comer('alice', { address: '10.0.0.2' })],
])('a proof is good for nobody with %s', (_, other) => {
  const { earn, spend } = createCredits(() => 0)
  earn(comer('alice'))
  expect(spend(other)).toBe(false)
})

test('a proof is good for a minute', () => {
  let nowMs = 0
  const { earn, spend } = createCredits(() => nowMs)
  earn(comer('alice'))
  nowMs = 30_000
  earn(comer('alice'))
  nowMs = 60_000
  expect([spend(comer('alice')), spend(comer('alice'))]).toEqual([true, false])
  earn(comer('alice'))
  nowMs = 120_000
  expect(spend(comer('alice'))).toBe(false)
})

test('however many there are, a bounded number is remembered, and those that were earned last', () => {
  const { earn, spend } = createCredits(() => 0)
  for (let i = 0; i < 2 * limits.creditsEach; i++) earn(comer('alice'))
  const spent = Array.from({ length: 2 * limits.creditsEach }, () => spend(comer('alice')))
  expect(spent.filter(Boolean)).toHaveLength(limits.creditsEach)

  earn(comer('alice'))
  earn(comer('bob'))
  earn(comer('alice'))
  for (let i = 2; i <= limits.creditOwners; i++) earn(comer(`user ${i}`))
  expect([spend(comer('alice')), spend(comer('bob'))]).toEqual([true, false])
})
