import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PrincipalRef } from './principal.ts'
import { parsePrincipalKey, peopleBehind, principalKey } from './principal.ts'

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

test('behind an agent stands the user it acts for', () => {
  const user = { kind: 'user', id: 'alice', groups: [] } as const
  expect(peopleBehind({ kind: 'agent', id: 'helper', groups: [], user })).toEqual(['alice'])
})
