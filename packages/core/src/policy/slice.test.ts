import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Principal } from '../principal.ts'
import { hours } from '../time.ts'
import { decide } from './decide.ts'
import { agentFor, factsFor, policiesOf, question, service, user } from './fixtures.ts'
import type { PolicySet } from './policy.ts'
import { scopeKey, sliceFor, unsliced } from './slice.ts'

const names = ['a', 'b', 'c'] as const
const name = fc.constantFrom(...names)

const principalScope = fc.oneof(
  fc.constant('principal'),
  fc.constantFrom('User', 'Service', 'Agent').map((type) => `principal is ${type}`),
  name.map((group) => `principal in Group::"${group}"`),
  fc
    .tuple(fc.constantFrom('User', 'Service', 'Agent'), name)
    .map(([type, g]) => `principal is ${type} in Group::"${g}"`),
  fc.tuple(fc.constantFrom('User', 'Agent'), name).map(([type, id]) => `principal == ${type}::"${id}"`),
  name.map((id) => `principal in User::"${id}"`),
)

const entity = fc.oneof(
  name.map((label) => `Label::"env=${label}"`),
  name.map((id) => `Resource::"${id}"`),
  fc.tuple(name, name).map(([resource, role]) => `Role::"${resource}/${role}"`),
)

const resourceScope = fc.oneof(
  fc.constant('resource'),
  fc.constant('resource is Role'),
  entity.map((uid) => `resource in ${uid}`),
  entity.map((uid) => `resource is Role in ${uid}`),
  fc.tuple(name, name).map(([resource, role]) => `resource == Role::"${resource}/${role}"`),
)

const condition = fc.constantFrom(
  '',
  'when { context.duration <= 3600 }',
  'when { context has ticket && context.ticket.open }',
  'unless { context.authentication.mfa }',
  // Overflows where its scope holds, and there alone.
  'when { context.duration * 9223372036854775807 > 1 }',
)

const policy = fc.tuple(
  fc.constantFrom('permit', '@approvers("x") permit', '@max_duration("2h") permit', 'forbid'),
  principalScope,
  resourceScope,
  condition,
)

const policyTexts = fc
  .array(policy, { maxLength: 10 })
  .map((list) => list.map(([effect, p, r, when], i) => `@id("p-${i}") ${effect} (${p}, action, ${r}) ${when};`))

const groups = fc.subarray([...names])
const userOf = fc.tuple(name, groups).map(([id, of]) => user(id, ...of))
const principal: fc.Arbitrary<Principal> = fc.oneof(
  userOf,
  groups.map((of) => service('a', ...of)),
  fc.tuple(userOf, groups).map(([acting, of]) => agentFor(acting, ...of)),
)

const questions = fc
  .record({
    principal,
    id: name,
    role: name,
    env: fc.option(name, { nil: undefined }),
    length: fc.constantFrom(1, 2, 3),
  })
  .map(({ principal: asking, id, role, env, length }) =>
    question({
      principal: asking,
      role: { resource: id, name: role, risk: 'low' },
      resource: {
        id,
        kind: 'postgres',
        labels: env === undefined ? {} : { env },
        whenUnreachable: 'fail',
        gateway: 'none',
      },
      duration: hours(length),
    }),
  )

describe('slices', () => {
  test('decide as all the policies together do', () => {
    fc.assert(
      fc.property(policyTexts, fc.array(questions, { minLength: 1, maxLength: 5 }), (texts, asked) => {
        const sliced = policiesOf(texts.join('\n'))
        const whole = unsliced(sliced)
        for (const one of asked) expect(decide(sliced, one, 'dec_a')).toEqual(decide(whole, one, 'dec_a'))
      }),
      { numRuns: 40 },
    )
  })

  const idsOf = (policies: PolicySet, one = question()): string[] =>
    sliceFor(policies, factsFor(one)).policies.map(({ id }) => id)

  test('leave out what is for other resources, and are the same for everyone who asks for this one', () => {
    const set = policiesOf(`
      @id("mine") permit (principal in Group::"engineers", action, resource in Label::"env=production");
      @id("other-group") permit (principal in Group::"sales", action, resource in Label::"env=production");
      @id("other-label") permit (principal in Group::"engineers", action, resource in Label::"env=test");
      @id("everyone") forbid (principal, action, resource) when { context.duration > 60 };`)
    expect(idsOf(set)).toEqual(['everyone', 'mine', 'other-group'])
    expect(idsOf(set, question({ principal: user('sam', 'sales') }))).toEqual(['everyone', 'mine', 'other-group'])
    expect(idsOf(unsliced(set))).toHaveLength(4)
  })

  test('leave out what is for other people, where that is many', () => {
    const others = Array.from(
      { length: 40 },
      (_, i) => `@id("other-${i}") permit (principal in Group::"g-${i}", action, resource);`,
    )
    const set = policiesOf(
      `${others.join('\n')} @id("mine") permit (principal in Group::"engineers", action, resource);`,
    )
    expect(idsOf(set)).toEqual(['mine'])
  })

  test.each([
    [{ op: 'All' }],
    [{ op: '==', slot: '?principal' }],
    [{ op: 'in', entity: { type: 'Group' } }],
    [{ op: 'is' }],
    [{ op: 'is', entity_type: 'User', in: { slot: '?principal' } }],
    [{ op: 'something new', entity: { type: 'Group', id: 'a' } }],
    [undefined],
  ])('take a scope that is not understood for any: %j', (constraint) => {
    expect(scopeKey(constraint)).toBe('any')
  })

  test('read both of the forms that Cedar writes an entity in', () => {
    const uid = { type: 'Group', id: 'a"b' }
    expect(scopeKey({ op: 'in', entity: { __entity: uid } })).toBe(scopeKey({ op: '==', entity: uid }))
  })

  test('stay right while hundreds of sets take turns', () => {
    const sets = Array.from({ length: 300 }, (_, i) =>
      policiesOf(`@id("only") @max_duration("${i + 1}h") permit (principal, action, resource);`),
    )
    for (const round of [1, 2]) {
      for (const [i, set] of sets.entries()) {
        expect([round, decide(set, question(), 'dec_a')]).toMatchObject([round, { maxDuration: hours(i + 1) }])
      }
    }
  })
})
