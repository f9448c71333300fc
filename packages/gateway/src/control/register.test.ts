import { expect, test } from 'vitest'
import type { GrantFacts, SyncAnswer } from './contract.ts'
import { createRegister } from './register.ts'

const facts = (grant: string, more: Partial<GrantFacts> = {}): GrantFacts => ({
  grant,
  resource: 'orders-db',
  role: 'readonly',
  principal: 'user:alice',
  databases: ['orders'],
  verifier: 'SCRAM-SHA-256$…',
  expiresAt: '2026-01-05T10:00:00.000Z',
  warnBeforeSeconds: 120,
  rules: 'r1',
  ...more,
})

type Told = Pick<SyncAnswer, 'whole' | 'grants' | 'ended'>
const told = (more: Partial<Told>): Told => ({ whole: false, grants: [], ended: [], ...more })

test('what is told as a whole is all there is', () => {
  const register = createRegister()
  register.take(told({ whole: true, grants: [facts('a'), facts('b'), facts('c')] }))
  const ended = [{ grant: 'c', reason: 'access was revoked' }]
  expect(register.take(told({ whole: true, grants: [facts('b')], ended }))).toEqual({
    ended: expect.arrayContaining([
      { grant: 'a', reason: 'access has ended' },
      { grant: 'c', reason: 'access was revoked' },
    ]),
    moved: [],
  })
  expect([...register.list()].map(({ facts: { grant } }) => grant)).toEqual(['b'])
})

test('a change leaves everything else as it is', () => {
  const register = createRegister()
  register.take(told({ whole: true, grants: [facts('a'), facts('b')] }))
  register.take(told({ grants: [facts('c')], ended: [{ grant: 'a', reason: 'r' }] }))
  expect([...register.list()].map(({ facts: { grant } }) => grant)).toEqual(['b', 'c'])
})

test('an end that is moved is told; a grant that is new or the same is not', () => {
  const register = createRegister()
  expect(register.take(told({ grants: [facts('a')] })).moved).toEqual([])
  expect(register.take(told({ grants: [facts('a')] })).moved).toEqual([])
  const { moved } = register.take(told({ grants: [facts('a', { expiresAt: '2026-01-05T09:30:00.000Z' })] }))
  expect(moved).toMatchObject([{ expiresAt: Date.UTC(2026, 0, 5, 9, 30) }])
})

test('another edition is one in which something else changed than the end', () => {
  const register = createRegister()
  const edition = (more: Partial<GrantFacts>): number | undefined => {
    register.take(told({ grants: [facts('a', more)] }))
    return register.get('a')?.edition
  }
  const first = edition({})
  expect(edition({ expiresAt: '2026-01-05T09:30:00.000Z' })).toBe(first)
  expect(edition({ verifier: 'another' })).not.toBe(first)
})

test('a grant without an end that can be read gives nothing', () => {
  const register = createRegister()
  register.take(told({ grants: [facts('a', { expiresAt: 'some day' })] }))
  expect(register.get('a')).toBeUndefined()
})

test('a grant is new once, for as long as it is here', () => {
  const register = createRegister()
  expect(register.isNew('a')).toBe(false)
  register.take(told({ grants: [facts('a'), facts('b')] }))
  expect([register.isNew('a'), register.isNew('a'), register.isNew('b')]).toEqual([true, false, true])
  register.take(told({ whole: true, grants: [facts('a', { rules: 'r2' })] }))
  register.take(told({ grants: [facts('a', { expiresAt: '2026-01-05T11:00:00.000Z' }), facts('b')] }))
  expect([register.isNew('a'), register.isNew('b')]).toEqual([false, true])
})
