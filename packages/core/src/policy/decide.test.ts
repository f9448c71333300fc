import { describe, expect, test } from 'vitest'
import type { Decision, Question } from '../decision.ts'
import type { Millis } from '../time.ts'
import { after, hours, instant, minutes } from '../time.ts'
import { decide } from './decide.ts'
import { designPolicies, noon, policiesOf, question, signal, stale, user } from './fixtures.ts'

const open = signal('ticket', { open: true })
const managed = signal('device', { compliant: true, managed: true })

const decideOn = (text: string, changes: Partial<Question> = {}): Decision =>
  decide(policiesOf(text), question(changes), 'dec_a')

describe('the example of the design', () => {
  const set = policiesOf(designPolicies)
  const ask = (changes: Partial<Question>): Decision => decide(set, question(changes), 'dec_a')

  test('production needs a lead, with an open ticket and a managed device', () => {
    expect(ask({ ticket: 'OPS-17', signals: [open, managed] })).toEqual({
      id: 'dec_a',
      policyVersion: 'v1',
      outcome: 'approve',
      policies: ['prod-needs-a-lead'],
      obligations: [],
      paths: [
        { policies: ['prod-needs-a-lead'], stages: [{ approvers: ['team-leads'], count: 1 }], maxDuration: hours(2) },
      ],
      signals: [
        { name: 'ticket', source: 'service:test', ageMillis: 60_000, fresh: true },
        { name: 'device', source: 'service:test', ageMillis: 60_000, fresh: true },
      ],
      reasons: ['Needs approval: 1 from team-leads.'],
    })
  })

  test('those on call go straight in, for an hour', () => {
    const asking = { principal: user('alice', 'engineers', 'payments-oncall'), signals: [managed] }
    expect(ask(asking)).toMatchObject({
      outcome: 'permit',
      maxDuration: hours(1),
      policies: ['on-call-goes-straight-in'],
      reasons: ['Permitted by on-call-goes-straight-in.'],
    })
    expect(ask({ ...asking, duration: hours(2) })).toMatchObject({
      outcome: 'deny',
      cause: 'too-long',
      policies: ['on-call-goes-straight-in'],
      reasons: ['2h is too long: at most 1h is given here.'],
    })
  })

  test('an unmanaged device is refused, with the advice of the policy and what would help', () => {
    expect(ask({ ticket: 'OPS-17', signals: [open] })).toMatchObject({
      outcome: 'deny',
      cause: 'forbidden',
      policies: ['never-from-unmanaged-devices'],
      reasons: ['Use a managed device.'],
      remedies: [{ text: 'Use a managed, compliant device.', outcome: 'approve' }],
    })
  })

  test('a stranger is refused, and nothing would help', () => {
    const answer = ask({ principal: user('eve'), signals: [{ ...managed, subject: 'user:eve' }] })
    expect(answer).toMatchObject({ outcome: 'deny', cause: 'no-policy', policies: [], remedies: [] })
  })
})

describe('facts', () => {
  const permitWhen = (condition: string): string =>
    `@id("a") @max_duration("30d") permit (principal, action, resource) when { ${condition} };`

  test.each<[string, Partial<Question>]>([
    ['context.time.hour == 13 && context.time.minute == 30 && context.time.weekday == 1', {}],
    [
      'context.time.hour == 0 && context.time.weekday == 2',
      { timeZone: 'Asia/Tokyo', now: instant(Date.UTC(2026, 0, 5, 15)) },
    ],
    ['context.time.weekday == 7', { now: instant(Date.UTC(2026, 0, 4, 12)) }],
    ['context.now > datetime("2026-01-05T12:29:59Z") && context.now < datetime("2026-01-05T12:30:01Z")', {}],
    ['context.duration == 5400', { duration: minutes(90) }],
    ['context.duration == 5401', { duration: (minutes(90) + 1) as Millis }],
    ['context has task && context.task == "t1"', { task: 't1' }],
    ['context has ticket && context.ticket.id == "OPS-17" && !context.ticket.open', { ticket: 'OPS-17' }],
    ['!(context has ticket)', { signals: [open] }],
    ['resource == Role::"orders-db/writer" && resource in Resource::"orders-db" && resource.risk == "elevated"', {}],
    ['principal == User::"alice" && principal in Group::"engineers"', {}],
    [
      'context has network && context.network.country == "DE"',
      { signals: [signal('network', { trusted: false, country: 'DE' })] },
    ],
    [
      'context.authentication.mfa && context.authentication.age == 60',
      { authentication: { method: 'token', mfa: true, phishingResistant: false, at: instant(noon - minutes(1)) } },
    ],
    ['context has device', { signals: [signal('device', { compliant: true, managed: true, extra: 1 })] }],
    [
      'context has device && !context.device.managed',
      { signals: [managed, signal('device', { compliant: true, managed: false }, { observedAt: noon })] },
    ],
  ])('%s', (condition, changes) => {
    expect(decideOn(permitWhen(condition), changes).outcome).toBe('permit')
  })

  test.each<[string, Question['signals']]>([
    ['missing', []],
    ['stale', [stale(managed)]],
    ['from the future', [{ ...managed, observedAt: after(noon, minutes(1)), staleAt: after(noon, hours(1)) }]],
    ['about someone else', [{ ...managed, subject: 'user:bob' }]],
    ['about a service of the same name', [{ ...managed, subject: 'service:alice' }]],
    ['without a field', [signal('device', { compliant: true })]],
    ['with a field of another type', [signal('device', { compliant: 'true', managed: true })]],
    ['malformed, and newer than a good one', [managed, signal('device', {}, { observedAt: noon })]],
    ['contradicted at the same instant', [managed, signal('device', { compliant: true, managed: false })]],
  ])('a signal that is %s does not permit', (_how, signals) => {
    expect(decideOn(permitWhen('context has device && context.device.compliant'), { signals }).outcome).toBe('deny')
  })

  test.each<[string, Question['signals']]>([
    ['missing', []],
    ['stale', [stale(open)]],
    ['about another ticket', [{ ...open, subject: 'ticket:OPS-1' }]],
    ['closed', [signal('ticket', { open: false })]],
    ['malformed', [signal('ticket', { open: 'yes' })]],
  ])('a ticket whose signal is %s is not open', (_how, signals) => {
    const text = permitWhen('context has ticket && context.ticket.open')
    expect(decideOn(text, { ticket: 'OPS-17', signals }).outcome).toBe('deny')
    expect(decideOn(text, { ticket: 'OPS-17', signals: [open] }).outcome).toBe('permit')
  })

  test('every signal given is listed, with its age and freshness', () => {
    const signals = [stale(managed), { ...open, subject: 'ticket:OPS-1' }]
    expect(decideOn('', { signals }).signals).toEqual([
      { name: 'device', source: 'service:test', ageMillis: 60_000, fresh: false },
      { name: 'ticket', source: 'service:test', ageMillis: 60_000, fresh: true },
    ])
  })
})

describe('what fails is denied', () => {
  const overflow = 'context.duration * 9223372036854775807 > 1'
  const anyone = '@id("anyone") permit (principal, action, resource);'

  test.each(['permit', 'forbid'])('a %s with an error in its condition, which Cedar would skip', (effect) => {
    const text = `${anyone} @id("broken") ${effect} (principal, action, resource) when { ${overflow} };`
    expect(decideOn(text)).toMatchObject({
      outcome: 'deny',
      cause: 'policy-error',
      policies: ['broken'],
      reasons: [expect.stringMatching(/^Policy broken failed \(.*overflow.*\)/)],
      remedies: [],
    })
  })

  test('an error elsewhere does not matter', () => {
    const text = `${anyone} @id("broken") forbid (principal in Group::"other", action, resource) when { ${overflow} };`
    expect(decideOn(text).outcome).toBe('permit')
  })

  test.each<[string, Partial<Question>]>([
    ['a role of another resource', { role: { resource: 'other', name: 'writer', risk: 'low' } }],
    ['a role whose name could be read as another', { role: { resource: 'orders-db', name: 'a/b', risk: 'low' } }],
    ['a label that could be read as another', { resource: { ...question().resource, labels: { 'env=x': 'y' } } }],
    ['no duration', { duration: hours(0) }],
    ['a duration that is no number', { duration: hours(Number.NaN) }],
    ['an authentication of tomorrow', { authentication: { ...question().authentication, at: after(noon, hours(24)) } }],
    ['a time zone that does not exist', { timeZone: 'Europe/Atlantis' }],
    ['an instant that does not exist', { now: instant(Number.NaN) }],
    ['an instant Cedar cannot write', { now: instant(8.64e15) }],
  ])('a question with %s', (_what, changes) => {
    expect(decideOn(anyone, changes)).toMatchObject({ outcome: 'deny', cause: 'policy-error', remedies: [] })
  })

  test('a set that Cedar never saw', () => {
    const set = policiesOf(anyone)
    const broken = { ...set, policies: set.policies.map((policy) => ({ ...policy, text: 'permit (' })) }
    expect(decide(broken, question(), 'dec_a')).toMatchObject({ outcome: 'deny', cause: 'policy-error' })
  })
})

describe('several permits', () => {
  test('are alternative paths, in a fixed order, the same ones once', () => {
    const answer = decideOn(`
      @id("two") @approvers("b") @approvals("2") permit (principal, action, resource);
      @id("one") @approvers("c") permit (principal, action, resource);
      @id("same") @approvers("c") permit (principal, action, resource);
      @id("longer") @approvers("b") @approvals("2") @max_duration("3h") permit (principal, action, resource);`)
    expect(answer).toMatchObject({
      outcome: 'approve',
      policies: ['longer', 'one', 'same'],
      paths: [
        { policies: ['one', 'same'], maxDuration: hours(1) },
        { policies: ['longer'], maxDuration: hours(3) },
      ],
      reasons: ['Needs approval: 1 from c.', 'Or instead: 2 from b.'],
    })
  })

  const costly = `
    @id("free") permit (principal, action, resource);
    @id("long") @stages("manager|owner:1, leads:2") @max_duration("8h") permit (principal, action, resource);`

  test('where one needs nobody, nobody is asked', () => {
    expect(decideOn(costly)).toMatchObject({ outcome: 'permit', policies: ['free'], maxDuration: hours(1) })
  })

  test('those that give less than was asked drop out', () => {
    expect(decideOn(costly, { duration: hours(8) })).toMatchObject({
      outcome: 'approve',
      policies: ['long'],
      reasons: ["Needs approval: 1 from the requester's manager or the owner of the resource, then 2 from leads."],
    })
    expect(decideOn(costly, { duration: hours(9) })).toMatchObject({
      outcome: 'deny',
      cause: 'too-long',
      remedies: [
        { changes: [{ fact: 'duration', atMost: hours(8) }], outcome: 'approve', text: 'Ask for at most 8h.' },
      ],
    })
  })
})

describe('step-up', () => {
  const needs = (condition: string): string =>
    `@id("a") permit (principal, action, resource) when { context.authentication.${condition} };`

  test('is asked where stronger or fresher authentication alone is enough', () => {
    expect(decideOn(needs('mfa'))).toMatchObject({
      outcome: 'step-up',
      need: 'mfa',
      policies: ['a'],
      reasons: ['Sign in again with a second factor.', 'No policy permits this.'],
    })
    expect(decideOn(needs('phishing_resistant'))).toMatchObject({ outcome: 'step-up', need: 'phishing-resistant' })
    const at = instant(noon - hours(2))
    const authentication = { method: 'token', mfa: true, phishingResistant: true, at } as const
    expect(decideOn(needs('age < 1'), { authentication })).toMatchObject({ outcome: 'step-up', need: 'mfa' })
  })

  test('is not asked where more than that is missing', () => {
    const both = needs('mfa && context has ticket && context.ticket.open')
    expect(decideOn(both)).toMatchObject({
      outcome: 'deny',
      remedies: [{ text: 'Name an open ticket and sign in again with a second factor.' }],
    })
    expect(decideOn(both, { ticket: 'OPS-17', signals: [open] })).toMatchObject({ outcome: 'step-up' })
  })

  test('is asked where a forbid wants it', () => {
    const text = `@id("a") permit (principal, action, resource);
      @id("b") forbid (principal, action, resource) unless { context.authentication.mfa };`
    expect(decideOn(text)).toMatchObject({ outcome: 'step-up', need: 'mfa', policies: ['a', 'b'] })
  })
})

test('a decision depends on nothing but its inputs', () => {
  const set = policiesOf(designPolicies)
  const questions = [
    question({ ticket: 'OPS-17', signals: [open, managed] }),
    question({ signals: [open] }),
    question({ principal: user('eve') }),
  ]
  const first = questions.map((one) => decide(set, one, 'dec_a'))
  for (let i = 0; i < 300; i++) decide(set, question({ principal: user(`u${i}`, `g${i}`) }), 'dec_b')
  expect(questions.map((one) => decide(set, one, 'dec_a'))).toEqual(first)
  expect(questions.map((one) => decide(policiesOf(designPolicies), one, 'dec_a'))).toEqual(first)
})
