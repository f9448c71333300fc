/** Questions and policies for the tests of this folder. */

import type { Question } from '../decision.ts'
import type { Agent, Principal, Service, User } from '../principal.ts'
import type { Signal, SignalName, SignalValue } from '../signal.ts'
import { signalKinds } from '../signal.ts'
import type { Instant } from '../time.ts'
import { after, earlier, hours, instant, minutes } from '../time.ts'
import type { Facts } from './facts.ts'
import { factsOf, localTime } from './facts.ts'
import { loadPolicies } from './load.ts'
import type { PolicySet } from './policy.ts'

/** A Monday, 13:30 in Berlin. */
export const noon: Instant = instant(Date.UTC(2026, 0, 5, 12, 30))

export const user = (id: string, ...groups: string[]): User => ({ kind: 'user', id, groups })
export const service = (id: string, ...groups: string[]): Service => ({ kind: 'service', id, groups })
export const agentFor = (actsFor: Principal, ...groups: string[]): Agent => ({
  kind: 'agent',
  id: 'bot',
  groups,
  actsFor,
})

export const question = (changes: Partial<Question> = {}): Question => ({
  principal: user('alice', 'engineers'),
  role: { resource: 'orders-db', name: 'writer', risk: 'elevated' },
  resource: {
    id: 'orders-db',
    kind: 'postgres',
    labels: { env: 'production', service: 'payments' },
    whenUnreachable: 'fail',
    gateway: 'none',
  },
  duration: hours(1),
  now: noon,
  timeZone: 'Europe/Berlin',
  authentication: { method: 'token', mfa: false, phishingResistant: false, at: changes.now ?? noon },
  step: 'request',
  signals: [],
  ...changes,
})

export const signal = (name: SignalName, value: SignalValue, changes: Partial<Signal> = {}): Signal => {
  const observedAt = changes.observedAt ?? instant(noon - minutes(1))
  return {
    name,
    subject: name === 'ticket' ? 'ticket:OPS-17' : 'user:alice',
    value,
    source: 'service:test',
    observedAt,
    staleAt: after(observedAt, signalKinds[name].maxAge),
    ...changes,
  }
}

export function factsFor(asked: Question, principal: Principal = asked.principal): Facts {
  const time = localTime(asked)
  if (!time) throw new Error('the question has no local time')
  return factsOf(asked, principal, time)
}

/** Newly observed and gone stale a moment ago. */
export const stale = (one: Signal): Signal => ({ ...one, staleAt: earlier(one.staleAt, noon) })

/** Fails loudly: a test that means to load policies has good ones. */
export function policiesOf(text: string): PolicySet {
  const loaded = loadPolicies([{ path: 'test.cedar', text }], { version: 'v1' })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, null, 2))
  return loaded.policies
}

/** The example of the design, §6. */
export const designPolicies = `@id("prod-needs-a-lead")
@approvers("team-leads") @approvals("1") @max_duration("2h")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production")
when { context has ticket && context.ticket.open };

@id("on-call-goes-straight-in")
@max_duration("1h")
permit (principal in Group::"payments-oncall", action == Action::"access", resource in Label::"service=payments");

@id("never-from-unmanaged-devices") @advice("Use a managed device.")
forbid (principal, action == Action::"access", resource in Label::"env=production")
unless { context has device && context.device.compliant };
`
