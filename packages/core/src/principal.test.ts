import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Principal, PrincipalRef } from './principal.ts'
import { chainOf, parsePrincipalKey, peopleBehind, principalKey } from './principal.ts'

test('a key is read back as the principal it was made of, whatever its id', () => {
  const ref: fc.Arbitrary<PrincipalRef> = fc.record({
    kind: fc.constantFrom('user', 'service', 'agent'),
    id: fc.stringMatching(/^.+$/),
  })
  fc.assert(
    fc.property(ref, (principal) => {
      expect(parsePrincipalKey(principalKey(principal))).toEqual(principal)
    }),
  )
})

test('two principals of different kinds have different keys', () => {
  const keys = (['user', 'service', 'agent'] as const).map((kind) => principalKey({ kind, id: 'ci' }))
  expect(new Set(keys).size).toBe(3)
})

test.each(['', 'alice', 'user:', ':alice', 'group:alice', 'User:alice', ' user:alice', 'user:alice\n'])(
  '%j is no key of a principal',
  (key) => {
    expect(parsePrincipalKey(key)).toBeUndefined()
  },
)

test('behind a user stands that user, whoever is their manager', () => {
  expect(peopleBehind({ kind: 'user', id: 'alice', groups: [], manager: 'dora' })).toEqual(['alice'])
})

test('behind a service stands its owner, and nobody where it has none', () => {
  expect(peopleBehind({ kind: 'service', id: 'ci', groups: [], owner: 'carol' })).toEqual(['carol'])
  expect(peopleBehind({ kind: 'service', id: 'ci', groups: [] })).toEqual([])
})

test('behind an agent stand the people behind whom it acts for, through however many agents', () => {
  const alice = { kind: 'user', id: 'alice', groups: [] } as const
  const ci = { kind: 'service', id: 'ci', groups: [], owner: 'carol' } as const
  const agent = (id: string, actsFor: Principal) => ({ kind: 'agent', id, groups: [], actsFor }) as const
  expect(peopleBehind(agent('helper', alice))).toEqual(['alice'])
  expect(peopleBehind(agent('reader', agent('helper', alice)))).toEqual(['alice'])
  expect(peopleBehind(agent('deployer', ci))).toEqual(['carol'])
  expect(chainOf(agent('reader', agent('helper', alice))).map(principalKey)).toEqual([
    'agent:reader',
    'agent:helper',
    'user:alice',
  ])
})
