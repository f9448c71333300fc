import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Agent, Principal, Service, User } from '../principal.ts'
import { peopleBehind } from '../principal.ts'
import type { Ineligible } from './eligibility.ts'
import { eligibility } from './eligibility.ts'

const user = (id: string, ...groups: string[]): User => ({ kind: 'user', id, groups })
const alice: User = { ...user('alice', 'engineers'), manager: 'dora' }
const ci: Service = { kind: 'service', id: 'ci', groups: [], owner: 'carol' }
const helper: Agent = { kind: 'agent', id: 'helper', groups: ['team-leads'], actsFor: alice }
const resource = { owner: 'orders-team' }

const asked = (requester: Principal, approver: Principal, ...open: string[]) =>
  eligibility({ requester, approver, resource, open })

const no = (why: Ineligible) => ({ eligible: false, why })

test('a member of a group of an open stage answers, under every spec that they hold of those open', () => {
  const carol = user('carol', 'team-leads', 'security', 'engineers')
  expect(asked(alice, carol, 'team-leads')).toEqual({ eligible: true, as: ['team-leads'] })
  expect(asked(alice, carol, 'security', 'team-leads', 'finance')).toEqual({
    eligible: true,
    as: ['security', 'team-leads'],
  })
})

test('who is in no group of an open stage does not answer', () => {
  expect(asked(alice, user('carol', 'engineers'), 'team-leads')).toEqual(no('not-an-approver'))
  expect(asked(alice, user('carol', 'team-leads'))).toEqual(no('not-an-approver'))
})

test('nobody answers their own request, whatever they hold', () => {
  const self: User = { ...user('alice', 'team-leads', 'orders-team'), manager: 'alice' }
  expect(asked(self, self, 'team-leads', 'owner', 'manager')).toEqual(no('own-request'))
})

test('nobody answers what a service of theirs asks for', () => {
  expect(asked(ci, user('carol', 'team-leads'), 'team-leads')).toEqual(no('own-request'))
  expect(asked(ci, user('dora', 'team-leads'), 'team-leads')).toMatchObject({ eligible: true })
})

test('nobody answers what an agent asks for that acts for them', () => {
  expect(asked(helper, user('alice', 'team-leads'), 'team-leads')).toEqual(no('own-request'))
  expect(asked(helper, user('dora', 'team-leads'), 'team-leads')).toMatchObject({ eligible: true })
})

test('services and agents answer nothing, in whatever group they are', () => {
  const lead: Service = { kind: 'service', id: 'lead', groups: ['team-leads'] }
  for (const approver of [lead, helper]) expect(asked(alice, approver, 'team-leads')).toEqual(no('not-a-person'))
})

test('the manager is the requester’s, or that of the user whom an agent acts for', () => {
  expect(asked(alice, user('dora'), 'manager')).toEqual({ eligible: true, as: ['manager'] })
  expect(asked(helper, user('dora'), 'manager')).toEqual({ eligible: true, as: ['manager'] })
  expect(asked(alice, user('carol'), 'manager')).toEqual(no('not-an-approver'))
})

test('a requester without a manager, and a service, have nobody who answers as one', () => {
  expect(asked(user('bob'), user('dora'), 'manager')).toEqual(no('not-an-approver'))
  expect(asked(ci, user('dora'), 'manager')).toEqual(no('not-an-approver'))
})

test('the owner is whoever is in the group that owns the resource; without one, nobody', () => {
  const bob = user('bob', 'orders-team')
  expect(asked(alice, bob, 'owner')).toEqual({ eligible: true, as: ['owner'] })
  expect(asked(alice, user('sam', 'security'), 'owner')).toEqual(no('not-an-approver'))
  const ownerless = eligibility({ requester: alice, approver: bob, resource: {}, open: ['owner'] })
  expect(ownerless).toEqual(no('not-an-approver'))
})

test('whoever is eligible is a person, another one, and holds something that is open', () => {
  const id = fc.constantFrom('alice', 'bob', 'carol', 'dora')
  const groups = fc.subarray(['team-leads', 'orders-team', 'security'])
  const person = fc.record({ kind: fc.constant('user' as const), id, groups, manager: id })
  const service = fc.record({ kind: fc.constant('service' as const), id, groups, owner: id })
  const agentOf = (actsFor: fc.Arbitrary<Principal>) =>
    fc.record({ kind: fc.constant('agent' as const), id, groups, actsFor })
  const owners: fc.Arbitrary<Principal> = fc.oneof(person, service)
  const anyone: fc.Arbitrary<Principal> = fc.oneof(owners, agentOf(owners), agentOf(agentOf(owners)))
  const open = fc.subarray(['manager', 'owner', 'team-leads', 'security'])
  fc.assert(
    fc.property(anyone, anyone, open, (requester, approver, specs) => {
      const answer = asked(requester, approver, ...specs)
      if (!answer.eligible) return
      expect(approver.kind).toBe('user')
      expect(peopleBehind(requester)).not.toContain(approver.id)
      expect(answer.as.length).toBeGreaterThan(0)
      expect(specs).toEqual(expect.arrayContaining([...answer.as]))
    }),
  )
})
