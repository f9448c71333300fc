import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Decision, Deny, NeedsApproval, Permit } from '../decision.ts'
import { after, hours, instant, minutes } from '../time.ts'
import type { Instant } from '../time.ts'
import type { RequestOutcome } from './commands.ts'
import { allowedBy, answer, cancel, fail, file, requestTimePassed } from './commands.ts'
import type { AccessRequest, Approval, Verdict } from './request.ts'
import { evolveRequest } from './request.ts'
import { requestMayGo, requestStatuses } from './transitions.ts'

const filed = instant(Date.UTC(2026, 0, 5, 9))
const grant = 'grt_1' as const

const pending: AccessRequest = {
  id: 'req_1',
  principal: { kind: 'user', id: 'alice' },
  resource: 'orders-db',
  role: 'writer',
  duration: hours(1),
  reason: 'ticket 17',
  status: 'pending',
  version: 1,
  decision: 'dec_1',
  filedAt: filed,
  pendingUntil: after(filed, hours(24)),
}

const basis = {
  id: 'dec_2' as const,
  policyVersion: 'v1',
  policies: ['prod'],
  signals: [],
  reasons: ['The ticket is closed.', 'And it is late.'],
}
const permit: Permit = { ...basis, outcome: 'permit', obligations: [], maxDuration: hours(2) }
const deny: Deny = { ...basis, outcome: 'deny', cause: 'forbidden', remedies: [] }
const stepUp: Decision = { ...basis, outcome: 'step-up', need: 'mfa' }
const pathOf = (count: number, ...approvers: string[]): NeedsApproval['paths'][number] => ({
  policies: ['prod'],
  stages: [{ approvers, count }],
  maxDuration: hours(count),
})
const needs = (...paths: NeedsApproval['paths']): NeedsApproval => ({
  ...basis,
  outcome: 'approve',
  obligations: [],
  paths,
})
const aLead = needs(pathOf(1, 'team-leads'))

const given = (approver: string, verdict: Verdict = 'approve', at: Instant = after(filed, minutes(1))): Approval => ({
  id: `apr_${approver}`,
  request: pending.id,
  approver,
  verdict,
  as: ['team-leads'],
  at,
})

const answering = (approval: Approval, changes: Partial<Parameters<typeof answer>[1]> = {}) =>
  answer(pending, { approval, earlier: [], decision: aLead, grant, ...changes })

const then = (request: AccessRequest, outcome: RequestOutcome): AccessRequest =>
  'refused' in outcome ? request : outcome.events.reduce(evolveRequest, request)

const typesOf = (outcome: RequestOutcome): string[] =>
  'refused' in outcome ? [`refused: ${outcome.refused}`] : outcome.events.map(({ type }) => type)

test('a request that policy permits is approved when it is filed, by policy', () => {
  const events = file(permit, { now: filed, grant })
  expect(events).toEqual([
    { type: 'request.filed', at: filed },
    { type: 'request.approved', at: filed, by: 'policy', grant },
  ])
  expect(events.reduce(evolveRequest, pending)).toMatchObject({ status: 'approved', grant, settledAt: filed })
})

test('a request that needs people is pending, and has no grant', () => {
  expect(file(aLead, { now: filed, grant }).reduce(evolveRequest, pending)).toEqual(pending)
})

test.each([deny, stepUp])('a request that policy refuses is denied when it is filed, with its first reason', (no) => {
  const events = file(no, { now: filed, grant })
  expect(events.at(-1)).toEqual({ type: 'request.denied', at: filed, by: 'policy', note: 'The ticket is closed.' })
  expect(events.reduce(evolveRequest, pending)).toMatchObject({ status: 'denied', settledAt: filed })
})

test('the yes that completes a path approves, and names the path', () => {
  const outcome = answering(given('carol'))
  expect(typesOf(outcome)).toEqual(['request.answered', 'request.approved'])
  expect(outcome).toMatchObject({ events: [{}, { by: 'people', path: aLead.paths[0], grant }] })
})

test('the count of a path is what it needs at least: more than it are enough too', () => {
  const two = needs(pathOf(2, 'team-leads'))
  const dora = given('dora')
  expect(typesOf(answering(dora, { decision: two }))).toEqual(['request.answered'])
  expect(then(pending, answering(given('carol'), { earlier: [dora], decision: two })).status).toBe('approved')
  // Policy was lowered since: the third finds the count of one passed already.
  const already = { earlier: [dora, given('bob')], decision: aLead }
  expect(then(pending, answering(given('carol'), already)).status).toBe('approved')
})

test('one no denies, whoever said yes before', () => {
  const outcome = answering(given('carol', 'deny'), {
    earlier: [given('dora')],
    decision: needs(pathOf(2, 'team-leads')),
  })
  expect(typesOf(outcome)).toEqual(['request.answered', 'request.denied'])
})

test('a no counts also where policy would now permit it', () => {
  expect(then(pending, answering(given('carol', 'deny'), { decision: permit })).status).toBe('denied')
})

test('a yes to what policy now permits is an approval by policy', () => {
  expect(answering(given('carol'), { decision: permit })).toMatchObject({ events: [{}, { by: 'policy' }] })
})

test.each([deny, stepUp])('a yes does not count against what policy says now', (decision) => {
  expect(answering(given('carol'), { decision })).toEqual({ refused: 'policy-refuses', decision })
})

test('a person answers once, whatever they said and in however many groups they are', () => {
  for (const verdict of ['approve', 'deny'] as const) {
    const again = { ...given('carol', verdict), id: 'apr_2' as const, as: ['security'] }
    expect(answering(again, { earlier: [given('carol')] })).toEqual({ refused: 'already-answered' })
  }
})

test('an answer counts to the last millisecond, and not when the time to answer is over', () => {
  expect(typesOf(answering(given('carol', 'approve', instant(pending.pendingUntil - 1))))).toContain('request.approved')
  for (const verdict of ['approve', 'deny'] as const) {
    const late = answering(given('carol', verdict, pending.pendingUntil))
    expect(late).toEqual({ refused: 'request-settled', status: 'expired' })
  }
})

test('time expires what is pending, at its last instant and not before', () => {
  expect(requestTimePassed(pending, instant(pending.pendingUntil - 1))).toEqual({ events: [] })
  expect(then(pending, requestTimePassed(pending, pending.pendingUntil)).status).toBe('expired')
})

test.each(requestStatuses.filter((status) => status !== 'pending'))('what is %s is settled', (status) => {
  const settled: AccessRequest = { ...pending, status, settledAt: filed }
  const parts = { approval: given('carol'), earlier: [], decision: aLead, grant }
  expect(answer(settled, parts)).toEqual({ refused: 'request-settled', status })
  expect(cancel(settled, filed)).toEqual({ refused: 'request-settled', status })
  expect(requestTimePassed(settled, after(pending.pendingUntil, hours(1)))).toEqual({ events: [] })
})

test('only what was approved fails, and keeps when it was settled and its grant', () => {
  const now = after(filed, minutes(5))
  for (const status of requestStatuses) {
    const outcome = fail({ ...pending, status }, { now, note: 'unreachable' })
    expect('refused' in outcome).toBe(status !== 'approved')
  }
  const approved: AccessRequest = { ...pending, status: 'approved', settledAt: filed, grant }
  expect(then(approved, fail(approved, { now, note: 'unreachable' }))).toEqual({ ...approved, status: 'failed' })
})

test('what a grant may last is what the decision says, or the path that its answers satisfy; a no gives nothing', () => {
  expect(allowedBy(permit, [])).toBe(hours(2))
  expect(allowedBy(deny, [given('carol')])).toBeUndefined()
  expect(allowedBy(stepUp, [given('carol')])).toBeUndefined()
  expect(allowedBy(aLead, [given('carol')])).toBe(hours(1))
  expect(allowedBy(aLead, [])).toBeUndefined()
  expect(allowedBy(aLead, [given('carol', 'deny')])).toBeUndefined()
})

test('no order of commands makes a transition that the table does not have, or settles a request twice', () => {
  const decision = fc.constantFrom<Decision>(permit, deny, stepUp, aLead, needs(pathOf(2, 'team-leads')))
  const approver = fc.constantFrom('bob', 'carol', 'dora')
  const step = fc.record({
    do: fc.constantFrom('answer', 'cancel', 'fail', 'time'),
    approver,
    verdict: fc.constantFrom<Verdict>('approve', 'deny'),
    decision,
    passes: fc.oneof(fc.nat(hours(1)), fc.nat(hours(20))),
  })
  fc.assert(
    fc.property(decision, fc.array(step, { maxLength: 12 }), (first, steps) => {
      let now = filed
      let request = file(first, { now, grant }).reduce(evolveRequest, pending)
      const earlier: Approval[] = []
      for (const one of steps) {
        now = instant(now + one.passes)
        const approval = given(one.approver, one.verdict, now)
        const outcomes = {
          answer: () => answer(request, { approval, earlier, decision: one.decision, grant }),
          cancel: () => cancel(request, now),
          fail: () => fail(request, { now, note: 'unreachable' }),
          time: () => requestTimePassed(request, now),
        }
        const outcome = outcomes[one.do]()
        for (const event of 'events' in outcome ? outcome.events : []) {
          const next = evolveRequest(request, event)
          if (event.type === 'request.answered') earlier.push(event.approval)
          expect(next.status === request.status || requestMayGo(request.status, next.status)).toBe(true)
          if (request.settledAt !== undefined) expect(next.settledAt).toBe(request.settledAt)
          expect(next.settledAt === undefined).toBe(next.status === 'pending')
          expect(next.grant !== undefined).toBe(next.status === 'approved' || next.status === 'failed')
          request = next
        }
        expect(new Set(earlier.map((given) => given.approver)).size).toBe(earlier.length)
      }
    }),
  )
})
