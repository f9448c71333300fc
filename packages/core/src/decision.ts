/** The shapes of the one question, and of its answer. */

import type { DecisionId } from './ids.ts'
import type { Obligation } from './obligation.ts'
import type { Principal } from './principal.ts'
import type { Resource, Role } from './resource.ts'
import type { Signal, SignalName } from './signal.ts'
import type { Instant, Millis } from './time.ts'

/** May this principal hold this role on this resource now, given these facts? */
export type Question = {
  readonly principal: Principal
  readonly role: Role
  readonly resource: Resource
  /** Absent: `access`. */
  readonly action?: Action
  readonly duration: Millis
  /** When it is asked. Every age and every hour of the day is counted from here. */
  readonly now: Instant
  /** IANA name; hours and weekdays in policies are in this zone. */
  readonly timeZone: string
  /** What the requester says; a ticket is only *open* where a signal says so. */
  readonly ticket?: string
  readonly task?: string
  /** How the principal proved who it is, for this question. */
  readonly authentication: Authentication
  readonly step: Step
  /** While someone answers a request: how they proved who they are. It is they who may step up then. */
  readonly approver?: Authentication
  /** Signals about the principal and the ticket. Stale ones are allowed here and count as missing. */
  readonly signals: readonly Signal[]
}

/** What the answer is for: asking, answering who asked, opening, and going on with what is open. */
export type Step = 'request' | 'approve' | 'connect' | 'hold'

/** `break-glass`: at once and alone, by policies that name that action or any. What waits for people is no way in. */
export type Action = 'access' | 'break-glass'

export type Authentication = {
  /** A key of `authenticationMethods`. */
  readonly method: AuthenticationMethod
  readonly mfa: boolean
  readonly phishingResistant: boolean
  /** Where nobody said when: the beginning of time, so that no policy takes it for fresh. */
  readonly at: Instant
  /** Which run of a workload it is, where whoever trusts it binds access to that. Nobody else has what it is given. */
  readonly run?: string
}

/** The ways to prove who one is, in words. */
export const authenticationMethods = {
  token: 'a token that configuration declares',
  oidc: 'a sign-in at an identity provider',
  passkey: 'a sign-in to an account of Tidegate itself, with a passkey',
  password: 'a sign-in to an account of Tidegate itself, with a password',
  federation: 'a token that a workload’s own platform made',
  secret: 'a secret of a service that Tidegate made',
  key: 'a signature with a key of a service',
  delegation: 'a token that whom it acts for had made for an agent',
} as const

export type AuthenticationMethod = keyof typeof authenticationMethods

/** One stage of a path: so many distinct people out of these. */
export type Stage = {
  /** Group ids, or `manager` (of the requester), or `owner` (of the resource). */
  readonly approvers: readonly string[]
  readonly count: number
}

/** One way to a yes. Empty `stages`: it needs no one. */
export type ApprovalPath = {
  /** Ids of the policies it comes from: one, or several where an agent was asked together with whom it acts for. */
  readonly policies: readonly string[]
  readonly stages: readonly Stage[]
  /** The longest grant this path gives. */
  readonly maxDuration: Millis
}

/** A change of one fact. */
export type Change =
  | { readonly fact: 'duration'; readonly atMost: Millis }
  | { readonly fact: 'ticket' }
  | { readonly fact: 'signal'; readonly name: SignalName; readonly value: Signal['value'] }
  | { readonly fact: 'authentication'; readonly need: AuthenticationNeed }

export type AuthenticationNeed = 'mfa' | 'phishing-resistant'

/** What would turn the answer into a yes, found by asking again with exactly these changes. */
export type Remedy = {
  readonly changes: readonly Change[]
  readonly outcome: 'permit' | 'approve'
  /** For people, in plain words. */
  readonly text: string
}

export type SignalUse = {
  readonly name: SignalName
  readonly source: string
  readonly ageMillis: number
  readonly fresh: boolean
}

type Basis = {
  readonly id: DecisionId
  readonly policyVersion: string
  /** Ids of the policies that determined it, sorted: permits of a yes, forbids of a no. */
  readonly policies: readonly string[]
  readonly signals: readonly SignalUse[]
  /** For people, in plain words, most important first. */
  readonly reasons: readonly string[]
}

type Yes = Basis & {
  /** Of every permit that holds, whichever of them opens: being permitted twice never takes a mask off. */
  readonly obligations: readonly Obligation[]
}

export type Permit = Yes & { readonly outcome: 'permit'; readonly maxDuration: Millis }
/** `paths` is never empty and no path in it has empty stages. */
export type NeedsApproval = Yes & { readonly outcome: 'approve'; readonly paths: readonly ApprovalPath[] }
export type NeedsStepUp = Basis & { readonly outcome: 'step-up'; readonly need: AuthenticationNeed }
export type Deny = Basis & {
  readonly outcome: 'deny'
  readonly cause: 'forbidden' | 'no-policy' | 'too-long' | 'needs-gateway' | 'policy-error'
  readonly remedies: readonly Remedy[]
}

export type Decision = Permit | NeedsApproval | NeedsStepUp | Deny

/** What sessions are held to by it; nothing where it is no yes. */
export const obligationsOf = (decision: Decision): readonly Obligation[] =>
  decision.outcome === 'permit' || decision.outcome === 'approve' ? decision.obligations : []
