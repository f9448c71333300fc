import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ApprovalPath, Decision, Question } from '../decision.ts'
import { hours } from '../time.ts'
import { answer } from './answer.ts'
import { decide } from './decide.ts'
import { chainOf } from '../principal.ts'
import { agentFor, factsFor, policiesOf, question, service, signal, user } from './fixtures.ts'

const decideOn = (text: string, changes: Partial<Question>): Decision =>
  decide(policiesOf(text), question(changes), 'dec_a')

const alice = user('alice', 'people')
const bot = agentFor(alice, 'bots')

describe('an agent and its user', () => {
  const people = (annotations: string): string =>
    `@id("people") ${annotations} permit (principal in Group::"people", action, resource);`
  const bots = (annotations: string): string =>
    `@id("bots") ${annotations} permit (principal in Group::"bots", action, resource);`

  test('are permitted what both are, for as long as both are', () => {
    const text = people('@max_duration("4h")') + bots('@max_duration("2h")')
    expect(decideOn(text, { principal: bot })).toMatchObject({
      outcome: 'permit',
      maxDuration: hours(2),
      policies: ['bots', 'people'],
    })
    expect(decideOn(text, { principal: bot, duration: hours(3) })).toMatchObject({
      outcome: 'deny',
      cause: 'too-long',
      policies: ['bots'],
      reasons: ['For the agent: 3h is too long: at most 2h is given here.'],
      remedies: [{ text: 'Ask for at most 2h.' }],
    })
  })

  test('are denied where one is, and the reason says which', () => {
    expect(decideOn(people(''), { principal: bot })).toMatchObject({
      cause: 'no-policy',
      reasons: ['For the agent: No policy permits this.'],
    })
    expect(decideOn(bots(''), { principal: bot })).toMatchObject({ reasons: ['For its user: No policy permits this.'] })
    const forbidden = `${people('')} @id("no-people") @advice("Rest.") forbid (principal is User, action, resource);`
    expect(decideOn(forbidden, { principal: bot })).toMatchObject({
      cause: 'forbidden',
      policies: ['no-people'],
      reasons: ['For its user: Rest.', 'For the agent: No policy permits this.'],
    })
  })

  test('need the approvals of both, the same ones once', () => {
    const same = people('@approvers("leads")') + bots('@approvers("leads")')
    expect(decideOn(same, { principal: bot })).toMatchObject({
      paths: [{ policies: ['bots', 'people'], stages: [{ approvers: ['leads'], count: 1 }] }],
    })
    const different =
      people('@approvers("leads") @max_duration("8h")') + bots('@approvers("owner") @max_duration("2h")')
    expect(decideOn(different, { principal: bot })).toMatchObject({
      paths: [
        {
          policies: ['bots', 'people'],
          maxDuration: hours(2),
          stages: [
            { approvers: ['owner'], count: 1 },
            { approvers: ['leads'], count: 1 },
          ],
        },
      ],
    })
    expect(decideOn(people('@approvers("leads")') + bots(''), { principal: bot })).toMatchObject({
      outcome: 'approve',
      paths: [{ policies: ['bots', 'people'], stages: [{ approvers: ['leads'], count: 1 }] }],
    })
  })

  test('step up where one has to', () => {
    const text = `${bots('')} @id("people") permit (principal in Group::"people", action, resource)
      when { context.authentication.mfa };`
    expect(decideOn(text, { principal: bot })).toMatchObject({ outcome: 'step-up', need: 'mfa' })
  })

  test('each answer with the signals about themselves', () => {
    const text = `@id("calm") permit (principal, action, resource) when { context has risk && context.risk.level == "low" };`
    const user1 = signal('risk', { level: 'low' })
    const both = [user1, { ...user1, subject: 'agent:bot' }]
    expect(decideOn(text, { principal: bot, signals: [user1] })).toMatchObject({ outcome: 'deny' })
    expect(decideOn(text, { principal: bot, signals: both })).toMatchObject({ outcome: 'permit' })
  })
})

test('a service’s agent, and an agent’s agent, are asked for with all they act for, and the reason says who lacks it', () => {
  const text = `@id("machines") permit (principal is Service, action, resource);
    @id("bots") permit (principal in Group::"bots", action, resource);`
  const ofService = agentFor(service('ci'), 'bots')
  expect(decideOn(text, { principal: ofService })).toMatchObject({ outcome: 'permit', policies: ['bots', 'machines'] })
  expect(decideOn(text, { principal: agentFor(service('ci')) })).toMatchObject({ outcome: 'deny' })
  expect(decideOn(text, { principal: agentFor(agentFor(service('ci')), 'bots') })).toMatchObject({
    reasons: ['For the agent that it acts for: No policy permits this.'],
  })
  expect(decideOn(text, { principal: agentFor(agentFor(alice, 'bots'), 'bots') })).toMatchObject({
    reasons: ['For its user: No policy permits this.'],
  })
})

describe('an agent is never permitted more', () => {
  const scope = fc.constantFrom(
    'principal',
    'principal is User',
    'principal is Service',
    'principal is Agent',
    'principal in Group::"a"',
    'principal in Group::"b"',
  )
  const cost = fc.constantFrom('', '@approvers("x")', '@approvers("y")', '@max_duration("2h")', '@stages("x:1, y:2")')
  const condition = fc.constantFrom(
    '',
    'when { context.authentication.mfa }',
    'unless { context.authentication.phishing_resistant }',
  )
  const permit = fc.tuple(scope, cost, condition).map(([s, c, w]) => `${c} permit (${s}, action, resource) ${w};`)
  const forbid = fc.tuple(scope, condition).map(([s, w]) => `forbid (${s}, action, resource) ${w};`)
  const texts = fc.tuple(fc.array(permit, { maxLength: 5 }), fc.array(forbid, { maxLength: 1 })).map((list) =>
    list
      .flat()
      .map((text, i) => `@id("p-${i}") ${text}`)
      .join('\n'),
  )
  const groups = fc.subarray(['a', 'b'])
  const owners = fc.tuple(fc.constantFrom(user, service), groups).map(([make, of]) => make('alice', ...of))
  const principals = fc
    .tuple(owners, fc.array(groups, { minLength: 1, maxLength: 3 }))
    .map(([owner, [first = [], ...more]]) => more.reduce((one, of) => agentFor(one, ...of), agentFor(owner, ...first)))
  const lengths = fc.integer({ min: 1, max: 2 }).map(hours)

  test('than whoever it acts for', () => {
    const order: Decision['outcome'][] = ['deny', 'step-up', 'approve', 'permit']
    const rank = (decision: Decision): number => order.indexOf(decision.outcome)
    fc.assert(
      fc.property(texts, principals, lengths, (text, principal, duration) => {
        const set = policiesOf(text)
        const together = decide(set, question({ principal, duration }), 'dec_a')
        const before = decide(set, question({ principal: principal.actsFor, duration }), 'dec_a')
        expect(rank(together)).toBeLessThanOrEqual(rank(before))
      }),
      { numRuns: 40 },
    )
  })

  test('than any of them alone: each path of all holds one of each', () => {
    fc.assert(
      fc.property(texts, principals, lengths, (text, principal, duration) => {
        const set = policiesOf(text)
        const sides = chainOf(principal).map((one) => ({ facts: factsFor(question({ duration }), one) }))
        const together = answer(set, sides)
        const alone = sides.map((side) => answer(set, [side]))
        expect(together.yes).toBe(alone.every((one) => one.yes))
        for (const path of together.yes ? together.paths : []) {
          for (const one of alone) expect(one.yes && one.paths.some((part) => includes(path, part))).toBe(true)
        }
      }),
      { numRuns: 40 },
    )
  })
})

const includes = (path: ApprovalPath, part: ApprovalPath): boolean =>
  path.maxDuration <= part.maxDuration &&
  part.stages.every((stage) => path.stages.some((one) => JSON.stringify(one) === JSON.stringify(stage)))
