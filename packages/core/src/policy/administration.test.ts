import { expect, test } from 'vitest'
import type { Decision, Question } from '../decision.ts'
import { hours } from '../time.ts'
import { decide } from './decide.ts'
import { agentFor, policiesOf, question, service, user } from './fixtures.ts'
import { loadPolicies } from './load.ts'

const tidegate: Question['resource'] = {
  id: 'tidegate',
  kind: 'tidegate',
  labels: {},
  whenUnreachable: 'fail',
  gateway: 'none',
}

const asking = (changes: Partial<Question> = {}): Question =>
  question({
    principal: user('alice', 'security'),
    resource: tidegate,
    role: { resource: 'tidegate', name: 'auditor', risk: 'elevated' },
    ...changes,
  })

const decideOn = (text: string, asked: Question): Decision => decide(policiesOf(text), asked, 'dec_a')

const head = `permit (principal in Group::"security", action == Action::"access",`

test.each([
  ['the role', `@id("audit") ${head} resource == Role::"tidegate/auditor");`],
  ['the resource', `@id("audit") ${head} resource in Resource::"tidegate");`],
])('a role of Tidegate is given by a policy whose scope names %s', (_, text) => {
  expect(decideOn(text, asking())).toMatchObject({ outcome: 'permit', policies: ['audit'] })
})

test.each([
  ['everything', `@id("all") ${head} resource);`],
  ['a condition', `@id("all") ${head} resource) when { resource.name == "auditor" };`],
  ['a resource in the condition', `@id("all") ${head} resource) when { resource in Resource::"tidegate" };`],
])('a policy that gives %s gives no role of Tidegate, and says why', (_, text) => {
  const decision = decideOn(text, asking())
  expect(decision).toMatchObject({ outcome: 'deny', cause: 'no-policy' })
  expect(decision.reasons.join(' ')).toContain('all would permit it')
})

test('one that names it opens nothing for those beside it that do not', () => {
  const text = `@id("all") ${head} resource); @id("audit") @approvers("security") ${head} resource == Role::"tidegate/auditor");`
  expect(decideOn(text, asking())).toMatchObject({ outcome: 'approve', policies: ['audit'] })
})

test('a forbid of everything holds for roles of Tidegate too', () => {
  const text = `@id("audit") ${head} resource == Role::"tidegate/auditor"); @id("freeze") forbid (principal, action, resource);`
  expect(decideOn(text, asking())).toMatchObject({ outcome: 'deny', cause: 'forbidden' })
})

test.each([
  ['a service', service('ci', 'security')],
  ['an agent of someone who may', agentFor(user('alice', 'security'), 'security')],
])('%s gets no role of Tidegate', (_, principal) => {
  const text = `@id("audit") permit (principal, action == Action::"access", resource == Role::"tidegate/auditor");`
  expect(decideOn(text, asking({ principal }))).toMatchObject({
    outcome: 'deny',
    reasons: [expect.stringContaining('for people')],
  })
})

const breaking = (changes: Partial<Question> = {}): Question => question({ action: 'break-glass', ...changes })
const engineers = `principal in Group::"engineers"`

test('glass is broken by a policy for that, which gives nothing to whoever only asks', () => {
  const text = `@id("glass") permit (${engineers}, action == Action::"break-glass", resource);`
  expect(decideOn(text, breaking())).toMatchObject({ outcome: 'permit', maxDuration: hours(1) })
  expect(decideOn(text, question())).toMatchObject({ outcome: 'deny', cause: 'no-policy' })
})

test('a policy for asking breaks no glass', () => {
  const text = `@id("ask") permit (${engineers}, action == Action::"access", resource);`
  expect(decideOn(text, breaking())).toMatchObject({ outcome: 'deny', cause: 'no-policy' })
})

test('a policy for any action that waits for people is no way to break glass, and one beside it that waits for nobody is', () => {
  const slow = `@id("slow") @approvers("leads") permit (${engineers}, action, resource);`
  const decision = decideOn(slow, breaking())
  expect(decision).toMatchObject({ outcome: 'deny', cause: 'no-policy' })
  expect(decision.reasons).toContain('slow would wait for people, and breaking glass waits for nobody.')
  const both = `${slow} @id("glass") permit (${engineers}, action == Action::"break-glass", resource);`
  expect(decideOn(both, breaking())).toMatchObject({ outcome: 'permit', policies: ['glass'] })
})

test('a forbid holds for breaking glass where it is written for any action, and not where it is for access', () => {
  const glass = `@id("glass") permit (${engineers}, action == Action::"break-glass", resource);`
  const forbid = (action: string): string => `${glass} @id("no") forbid (principal, ${action}, resource);`
  expect(decideOn(forbid('action'), breaking())).toMatchObject({ outcome: 'deny', cause: 'forbidden' })
  expect(decideOn(forbid('action == Action::"access"'), breaking())).toMatchObject({ outcome: 'permit' })
})

test.each(['@approvers("leads")', '@stages("leads:1")'])(
  'a permit to break glass with %s does not load',
  (annotation) => {
    const text = `@id("glass") ${annotation} permit (${engineers}, action == Action::"break-glass", resource);`
    const loaded = loadPolicies([{ path: 'a.cedar', text }], { version: 'v1' })
    expect(loaded).toMatchObject({ ok: false, problems: [{ id: 'glass', message: expect.stringContaining('nobody') }] })
  },
)
