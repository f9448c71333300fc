/**
 * Signals: facts from outside about a principal, a device or a ticket, with their source and age.
 * One entry per kind; the policy schema, the API and the reference page read this table.
 */

import type { Instant, Millis } from './time.ts'
import { days, hours, minutes } from './time.ts'

export type SignalField = 'boolean' | 'string' | 'long'

export type SignalKind = {
  /** Whose fact it is; also the first part of the subject, as in `user:alice` or `ticket:OPS-17`. */
  readonly subject: 'principal' | 'ticket'
  readonly fields: Readonly<Record<string, SignalField>>
  /** Older than this, the signal counts as missing. A source may ask for less. */
  readonly maxAge: Millis
  readonly about: string
}

export const signalKinds = {
  device: {
    subject: 'principal',
    fields: { compliant: 'boolean', managed: 'boolean' },
    maxAge: hours(1),
    about: 'The device the principal works from, as its management reports it.',
  },
  risk: {
    subject: 'principal',
    fields: { level: 'string' },
    maxAge: hours(24),
    about: 'How risky the principal or its session looks: low, medium or high.',
  },
  oncall: {
    subject: 'principal',
    fields: { active: 'boolean' },
    maxAge: minutes(15),
    about: 'Whether the principal is on call now.',
  },
  network: {
    subject: 'principal',
    fields: { trusted: 'boolean', country: 'string' },
    maxAge: hours(1),
    about: 'Where the principal connects from.',
  },
  ticket: {
    subject: 'ticket',
    fields: { open: 'boolean' },
    maxAge: days(1),
    about: 'The state of the ticket that the request names.',
  },
} as const satisfies Record<string, SignalKind>

export type SignalName = keyof typeof signalKinds
export type SignalValue = Readonly<Record<string, boolean | string | number>>

export type Signal = {
  readonly name: SignalName
  /** `user:alice`, `service:ci`, `ticket:OPS-17`. */
  readonly subject: string
  readonly value: SignalValue
  /** Who said so, for example `service:mdm`. */
  readonly source: string
  readonly observedAt: Instant
  /** Counts as missing from here on. */
  readonly staleAt: Instant
}

export const isFresh = (signal: Signal, now: Instant): boolean => signal.observedAt <= now && now < signal.staleAt
