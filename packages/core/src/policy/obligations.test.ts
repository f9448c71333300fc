/** What permits ask of sessions, and that none of them can be got rid of by being permitted once more. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Decision, Question } from '../decision.ts'
import { obligationsOf } from '../decision.ts'
import { obligationKey } from '../obligation.ts'
import { hours } from '../time.ts'
import { decide } from './decide.ts'
import { agentFor, policiesOf, question, user } from './fixtures.ts'
import { loadPolicies } from './load.ts'
import { policyLimits } from './limits.ts'
import { obligingPermits } from './slice.ts'

const gated = { ...question().resource, gateway: 'required' } as const
const asked = (changes: Partial<Question> = {}): Question => question({ resource: gated, ...changes })
const decideOn = (text: string, changes?: Partial<Question>): Decision =>
  decide(policiesOf(text), asked(changes), 'dec_a')
const heldTo = (decision: Decision): string[] => obligationsOf(decision).map(obligationKey)

const both = { principal: user('alice', 'engineers', 'contractors') }

const contractors = `
@id("engineers") @max_duration("8h")
permit (principal in Group::"engineers", action, resource);

@id("contractors") @approvers("owner") @max_duration("1h") @mask("pii, cards") @record("commit-all")
permit (principal in Group::"contractors", action, resource);
`

describe('obligations', () => {
  test('come from every permit that holds, whichever of them opens and however long it gives', () => {
    const decision = decideOn(contractors, { ...both, duration: hours(8) })
    expect(decision).toMatchObject({ outcome: 'permit', policies: ['engineers'] })
    expect(obligationsOf(decision)).toEqual([
      { kind: 'mask', name: 'cards', policies: ['contractors'] },
      { kind: 'mask', name: 'pii', policies: ['contractors'] },
      { kind: 'record', name: 'commit-all', policies: ['contractors'] },
    ])
    expect(decision.reasons).toEqual([
      'Permitted by engineers.',
      'Sessions are held to mask cards, mask pii and record commit-all.',
    ])
  })

  test('do not come from a permit that does not hold', () => {
    expect(heldTo(decideOn(contractors))).toEqual([])
  })

  test('are shown to approvers before they answer', () => {
    const decision = decideOn(contractors, { principal: user('eve', 'contractors') })
    expect(decision).toMatchObject({ outcome: 'approve' })
    expect(decision.reasons.at(-1)).toBe('Sessions are held to mask cards, mask pii and record commit-all.')
  })

  test('of an agent are its own and its user’s, each once with all who ask for it', () => {
    const text = `
      @id("agents") @mask("pii") @guard("read-only") permit (principal is Agent, action, resource);
      @id("users") @mask("pii") permit (principal is User, action, resource);`
    const decision = decideOn(text, { principal: agentFor(user('alice')) })
    expect(obligationsOf(decision)).toEqual([
      { kind: 'guard', name: 'read-only', policies: ['agents'] },
      { kind: 'mask', name: 'pii', policies: ['agents', 'users'] },
    ])
  })

  test('cannot be kept without a gateway: that is a no, also for whom another permit would open', () => {
    const decision = decideOn(contractors, { ...both, resource: question().resource })
    expect(decision).toMatchObject({ outcome: 'deny', cause: 'needs-gateway', policies: ['contractors'], remedies: [] })
    expect(decision.reasons).toEqual([
      expect.stringMatching(/^Sessions have to be held to mask cards, .*gateway: required/),
    ])
    expect(decideOn(contractors, { resource: question().resource }).outcome).toBe('permit')
  })

  test('that cannot be kept are no remedy for something else', () => {
    const text = '@id("a") @max_duration("1h") @mask("pii") permit (principal, action, resource);'
    const decision = decideOn(text, { resource: question().resource, duration: hours(2) })
    expect(decision).toMatchObject({ outcome: 'deny', cause: 'needs-gateway', remedies: [] })
    const ticketed = '@id("a") @mask("pii") permit (principal, action, resource) when { context has ticket };'
    const refused = decideOn(ticketed, { resource: question().resource })
    expect(refused).toMatchObject({ outcome: 'deny', cause: 'no-policy', remedies: [] })
  })

  test('never go because one more permit is added, and neither does a yes', () => {
    const groups = ['a', 'b', 'c'] as const
    const permit = fc.record({
      group: fc.constantFrom(...groups),
      stages: fc.boolean(),
      length: fc.constantFrom('30m', '1h', '8h'),
      guards: fc.subarray(['g1', 'g2']),
      masks: fc.subarray(['m1', 'm2']),
      records: fc.subarray(['r1']),
      ticket: fc.boolean(),
    })
    const textOf = (list: readonly (typeof permit extends fc.Arbitrary<infer P> ? P : never)[]): string =>
      list
        .map(({ group, stages, length, guards, masks, records, ticket }, at) => {
          const names = Object.entries({ guard: guards, mask: masks, record: records })
            .filter(([, given]) => given.length > 0)
            .map(([kind, given]) => `@${kind}("${given.join()}")`)
          const approvers = stages ? '@approvers("owner")' : ''
          const when = ticket ? 'when { context has ticket }' : ''
          return `@id("p${at}") @max_duration("${length}") ${approvers} ${names.join(' ')} permit (principal in Group::"${group}", action, resource) ${when};`
        })
        .join('\n')
    const wish = fc.record({ groups: fc.subarray([...groups]), ticket: fc.boolean(), long: fc.boolean() })
    fc.assert(
      fc.property(fc.array(permit, { maxLength: 4 }), permit, wish, (list, added, { groups: own, ticket, long }) => {
        const changes = {
          principal: user('alice', ...own),
          duration: hours(long ? 2 : 1),
          ...(ticket && { ticket: 'OPS-1' }),
        }
        const before = decideOn(textOf(list), changes)
        const after = decideOn(textOf([...list, added]), changes)
        expect(heldTo(after)).toEqual(expect.arrayContaining(heldTo(before)))
        if (before.outcome === 'permit') expect(after.outcome).toBe('permit')
      }),
      { numRuns: 30 },
    )
  })
})

describe('names of obligations', () => {
  const problemsOf = (annotations: string) => {
    const loaded = loadPolicies(
      [{ path: 'a.cedar', text: `@id("a")\n${annotations}\npermit (principal, action, resource);` }],
      {
        version: 'v1',
        knownObligations: { guard: new Set(['no-deletes']), mask: new Set(['pii']), record: new Set(['commit-all']) },
      },
    )
    return loaded.ok ? [] : loaded.problems
  }

  test('that are declared load, in any order and as often as they like', () => {
    expect(problemsOf('@guard("no-deletes") @mask(" pii ,pii") @record("commit-all")')).toEqual([])
  })

  test.each([
    ['@guard("no-delets")', '@guard names no-delets, which is not declared.', 'Did you mean no-deletes?'],
    ['@mask("no-deletes")', '@mask names no-deletes, which is not declared.', 'Declare it under masks.'],
    ['@record("pii")', '@record names pii, which is not declared.', 'Declare it under recordings.'],
    ['@mask("")', '@mask("") does not read.', expect.stringContaining('under masks')],
    ['@mask("pii,")', '@mask("pii,") does not read.', expect.any(String)],
    ['@mask("PII")', '@mask("PII") does not read.', expect.any(String)],
    [
      `@guard("${Array.from({ length: policyLimits.obligationNames + 1 }, (_, i) => `g${i}`).join()}")`,
      expect.stringContaining('does not read'),
      expect.any(String),
    ],
  ])('%s is told with its place', (annotations, message, remedy) => {
    expect(problemsOf(annotations)).toEqual([{ path: 'a.cedar', id: 'a', line: 2, column: 1, message, remedy }])
  })

  test('mean nothing on a forbid', () => {
    const loaded = loadPolicies(
      [{ path: 'a.cedar', text: '@id("a") @mask("pii") forbid (principal, action, resource);' }],
      {
        version: 'v1',
      },
    )
    expect(!loaded.ok && loaded.problems[0]?.message).toBe('@mask means nothing on a forbid.')
  })
})

test('which permits ask something of a role is told by its name, its resource, its labels and nothing', () => {
  const scopes = [
    'resource == Role::"orders-db/writer"',
    'resource in Resource::"orders-db"',
    'resource in Label::"env=production"',
    'resource',
    'resource == Role::"orders-db/reader"',
    'resource in Label::"env=staging"',
  ]
  const text = scopes.map((scope, at) => `@id("p${at}") @mask("pii") permit (principal, action, ${scope});`).join('\n')
  const quiet = '@id("quiet") permit (principal, action, resource);'
  expect(obligingPermits(policiesOf(text + quiet), question()).map(({ permit, names }) => [permit.id, names])).toEqual([
    ['p0', true],
    ['p1', true],
    ['p2', false],
    ['p3', false],
  ])
})
