/** Who gets what under one small, realistic set of policies: the rows are the documentation. */

import { describe, expect, test } from 'vitest'
import type { Question } from '../decision.ts'
import type { SignalName, SignalValue } from '../signal.ts'
import { hours, parseInstant } from '../time.ts'
import { decide } from './decide.ts'
import { noon, policiesOf, question, service, signal, user } from './fixtures.ts'

const policies = policiesOf(`
@id("readers-read")
@max_duration("8h")
permit (principal in Group::"engineers", action, resource)
when { resource.risk == "low" };

@id("writers-ask")
@stages("manager:1, dba:1") @max_duration("4h")
permit (principal in Group::"engineers", action, resource in Label::"env=production")
when { resource.risk != "low" && context has ticket && context.ticket.open };

@id("on-call-breaks-in")
@approvers("dba, security") @max_duration("1h")
permit (principal is User, action, resource in Label::"env=production")
when { context has oncall && context.oncall.active && context.authentication.phishing_resistant };

@id("ci-deploys")
@max_duration("30m")
permit (principal == Service::"ci", action, resource == Role::"orders-db/deploy");

@id("not-when-risky") @advice("Your session looks risky: talk to security.")
forbid (principal is User, action, resource)
unless { context has risk && context.risk.level != "high" };

@id("not-at-the-weekend") @advice("Production rests at the weekend.")
forbid (principal, action, resource in Label::"freeze=weekend")
when { context.time.weekday >= 6 };
`)

type Row = {
  readonly who: string
  readonly role?: 'reader' | 'writer' | 'admin' | 'deploy'
  readonly hours?: number
  readonly signals?: { readonly [K in SignalName]?: SignalValue }
  readonly ticket?: string
  readonly key?: true
  readonly labels?: Readonly<Record<string, string>>
  readonly zone?: string
  readonly at?: string
  readonly expected: string
}

const calm = { risk: { level: 'low' } }
const ticketed = { ...calm, ticket: { open: true } }

const rows: readonly Row[] = [
  { who: 'engineer', role: 'reader', signals: calm, expected: 'permit readers-read' },
  { who: 'engineer', role: 'reader', signals: calm, hours: 9, expected: 'deny too-long: Ask for at most 8h.' },
  { who: 'engineer', role: 'reader', expected: 'deny forbidden: Have your risk level back at low.' },
  {
    who: 'engineer',
    role: 'reader',
    signals: { risk: { level: 'high' } },
    expected: 'deny forbidden: Have your risk level back at low.',
  },
  { who: 'engineer', role: 'writer', signals: ticketed, ticket: 'OPS-17', expected: 'approve writers-ask' },
  { who: 'engineer', role: 'writer', signals: calm, expected: 'deny no-policy: Name an open ticket.' },
  {
    who: 'engineer',
    role: 'writer',
    signals: ticketed,
    ticket: 'OPS-1',
    expected: 'deny no-policy: Name an open ticket.',
  },
  {
    who: 'engineer',
    role: 'writer',
    signals: calm,
    hours: 5,
    expected: 'deny no-policy: Ask for at most 4h and name an open ticket.',
  },
  {
    who: 'engineer',
    role: 'admin',
    expected: 'deny forbidden: Name an open ticket and have your risk level back at low.',
  },
  {
    who: 'engineer',
    role: 'admin',
    signals: { ...calm, oncall: { active: true } },
    key: true,
    expected: 'approve on-call-breaks-in',
  },
  {
    who: 'engineer',
    role: 'admin',
    signals: { ...calm, oncall: { active: true } },
    expected: 'step-up phishing-resistant',
  },
  {
    who: 'engineer',
    role: 'admin',
    signals: { ...ticketed, oncall: { active: true } },
    key: true,
    ticket: 'OPS-17',
    expected: 'approve on-call-breaks-in, writers-ask',
  },
  {
    who: 'stranger',
    role: 'reader',
    signals: calm,
    expected: 'deny no-policy: Sign in again with a passkey or security key and be on call.',
  },
  { who: 'ci', role: 'deploy', hours: 0.5, expected: 'permit ci-deploys' },
  { who: 'ci', role: 'deploy', expected: 'deny too-long: Ask for at most 30m.' },
  { who: 'ci', role: 'reader', expected: 'deny no-policy' },
  { who: 'engineer', role: 'reader', signals: calm, labels: { freeze: 'weekend' }, expected: 'permit readers-read' },
  {
    who: 'ci',
    role: 'deploy',
    hours: 0.5,
    labels: { freeze: 'weekend' },
    zone: 'Pacific/Kiritimati',
    expected: 'permit ci-deploys',
  },
  {
    who: 'ci',
    role: 'deploy',
    hours: 0.5,
    labels: { freeze: 'weekend' },
    at: '2026-01-11T00:30:00Z',
    expected: 'deny forbidden',
  },
  {
    who: 'ci',
    role: 'deploy',
    hours: 0.5,
    labels: { freeze: 'weekend' },
    at: '2026-01-09T23:30:00Z',
    zone: 'America/New_York',
    expected: 'permit ci-deploys',
  },
]

const principals = { engineer: user('alice', 'engineers'), stranger: user('alice'), ci: service('ci') }

function questionOf(row: Row): Question {
  const { role = 'reader', labels = { env: 'production' } } = row
  const now = parseInstant(row.at ?? '') ?? noon
  const base = question({ now })
  return question({
    now,
    principal: principals[row.who as keyof typeof principals],
    role: { resource: 'orders-db', name: role, risk: role === 'reader' ? 'low' : 'elevated' },
    resource: { ...base.resource, labels },
    duration: hours(row.hours ?? 1),
    signals: Object.entries(row.signals ?? {}).map(([name, value]) => signal(name as SignalName, value)),
    authentication: { ...base.authentication, mfa: row.key === true, phishingResistant: row.key === true },
    ...(row.ticket !== undefined && { ticket: row.ticket }),
    ...(row.zone !== undefined && { timeZone: row.zone }),
  })
}

function answerTo(row: Row): string {
  const decision = decide(policies, questionOf(row), 'dec_a')
  switch (decision.outcome) {
    case 'permit':
    case 'approve':
      return `${decision.outcome} ${decision.policies.join(', ')}`
    case 'step-up':
      return `step-up ${decision.need}`
    case 'deny':
      return [`deny ${decision.cause}`, ...decision.remedies.map(({ text }) => text)].join(': ')
  }
}

describe('the matrix', () => {
  test.each(rows)('$who $role $ticket → $expected', (row) => {
    expect(answerTo(row)).toBe(row.expected)
  })
})
