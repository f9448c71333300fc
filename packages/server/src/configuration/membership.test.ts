import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parentsOf, readMember, resolveMembership } from './membership.ts'
import type { DeclaredGroup } from './schema.ts'

const groups = (of: Record<string, string[]>): DeclaredGroup[] =>
  Object.entries(of).map(([id, members]) => ({ id, members }))

const membership = (of: Record<string, string[]>) => Object.fromEntries(resolveMembership(parentsOf(groups(of))))

test('a bare name is a user; a prefix says otherwise', () => {
  expect(readMember('alice')).toEqual({ kind: 'user', id: 'alice' })
  expect(readMember('user:alice')).toEqual({ kind: 'user', id: 'alice' })
  expect(readMember('service:ci')).toEqual({ kind: 'service', id: 'ci' })
  expect(readMember('agent:helper')).toEqual({ kind: 'agent', id: 'helper' })
  expect(readMember('group:leads')).toEqual({ kind: 'group', id: 'leads' })
})

test('a user and a service of one name are two', () => {
  expect(membership({ a: ['ci'], b: ['service:ci'] })).toEqual({ 'user:ci': ['a'], 'service:ci': ['b'] })
})

test('who is in a group is in every group that it is in', () => {
  expect(membership({ leads: ['dora'], team: ['alice', 'group:leads'], all: ['group:team'] })).toEqual({
    'user:dora': ['all', 'leads', 'team'],
    'user:alice': ['all', 'team'],
  })
})

test('groups that are in each other have the same members', () => {
  const cycle = { a: ['alice', 'group:c'], b: ['bob', 'group:a'], c: ['group:b'] }
  expect(membership(cycle)).toEqual({ 'user:alice': ['a', 'b', 'c'], 'user:bob': ['a', 'b', 'c'] })
  expect(membership({ a: ['alice', 'group:a'] })).toEqual({ 'user:alice': ['a'] })
})

test('membership goes upwards only: the outer group’s members are not in the inner one', () => {
  expect(membership({ inner: ['dora'], outer: ['alice', 'group:inner'] })['user:alice']).toEqual(['outer'])
})

test('in however tangled groups, one is in exactly those from which one is reached', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  const member = fc.constantFrom('alice', 'bob', ...names.map((name) => `group:${name}`))
  const tangle = fc.record(Object.fromEntries(names.map((name) => [name, fc.uniqueArray(member)])))
  const reaches = (of: Record<string, string[]>, group: string, seen: Set<string> = new Set()): Set<string> => {
    for (const text of of[group] ?? []) {
      if (seen.has(text)) continue
      seen.add(text)
      if (text.startsWith('group:')) reaches(of, text.slice('group:'.length), seen)
    }
    return seen
  }
  fc.assert(
    fc.property(tangle, (of) => {
      const resolved = resolveMembership(parentsOf(groups(of)))
      for (const who of ['alice', 'bob'])
        expect(resolved.get(`user:${who}`) ?? []).toEqual(names.filter((name) => reaches(of, name).has(who)))
    }),
  )
})
