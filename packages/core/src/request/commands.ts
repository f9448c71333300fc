/**
 * What can be done to a request. Commands answer with events, or with a refusal; they change nothing themselves.
 * Whoever may call them has been checked by `eligibility`, and what policy says now comes in as a decision.
 */

import type { ApprovalPath, Decision } from '../decision.ts'
import type { GrantId } from '../ids.ts'
import { firstSatisfied } from '../policy/approvals.ts'
import type { Instant } from '../time.ts'
import type { AccessRequest, Approval, RequestEvent } from './request.ts'
import type { RequestStatus } from './transitions.ts'

export type RequestRefusal =
  | { readonly refused: 'request-settled'; readonly status: RequestStatus }
  | { readonly refused: 'already-answered' }
  | { readonly refused: 'policy-refuses'; readonly decision: Decision }

export type RequestOutcome = { readonly events: readonly RequestEvent[] } | RequestRefusal

/** What policy makes of a new request: approved at once, denied at once, or pending. */
export function file(decision: Decision, { now, grant }: { now: Instant; grant: GrantId }): readonly RequestEvent[] {
  const filed: RequestEvent = { type: 'request.filed', at: now }
  switch (decision.outcome) {
    case 'permit':
      return [filed, { type: 'request.approved', at: now, by: 'policy', grant }]
    case 'approve':
      return [filed]
    case 'step-up':
    case 'deny':
      return [filed, { type: 'request.denied', at: now, by: 'policy', note: decision.reasons[0] ?? 'Policy says no.' }]
  }
}

type Answer = {
  readonly approval: Approval
  /** Answers given before, oldest first. */
  readonly earlier: readonly Approval[]
  /** The question asked again, now. */
  readonly decision: Decision
  /** The id the grant gets if this answer is the one that opens. */
  readonly grant: GrantId
}

/** One approver's answer. A "no" settles the request; a "yes" settles it when it completes a path. */
export function answer(request: AccessRequest, { approval, earlier, decision, grant }: Answer): RequestOutcome {
  if (request.status !== 'pending') return { refused: 'request-settled', status: request.status }
  if (approval.at >= request.pendingUntil) return { refused: 'request-settled', status: 'expired' }
  if (earlier.some(({ approver }) => approver === approval.approver)) return { refused: 'already-answered' }
  const at = approval.at
  const answered: RequestEvent = { type: 'request.answered', at, approval }
  if (approval.verdict === 'deny') return { events: [answered, { type: 'request.denied', at, by: 'people' }] }
  if (decision.outcome === 'permit')
    return { events: [answered, { type: 'request.approved', at, by: 'policy', grant }] }
  if (decision.outcome !== 'approve') return { refused: 'policy-refuses', decision }
  const path = firstSatisfied(decision.paths, approvalsOf([...earlier, approval]))
  if (!path) return { events: [answered] }
  return { events: [answered, { type: 'request.approved', at, by: 'people', path, grant }] }
}

/** The yeses among the answers, as `firstSatisfied` and `openSpecs` take them. */
export const approvalsOf = (answers: readonly Approval[]): { approver: string; as: readonly string[] }[] =>
  answers.filter(({ verdict }) => verdict === 'approve').map(({ approver, as }) => ({ approver, as }))

/** The longest a grant may be by this decision and these answers; `undefined`: not permitted. */
export function allowedBy(decision: Decision, answers: readonly Approval[]): ApprovalPath['maxDuration'] | undefined {
  if (decision.outcome === 'permit') return decision.maxDuration
  if (decision.outcome !== 'approve') return undefined
  return firstSatisfied(decision.paths, approvalsOf(answers))?.maxDuration
}

export function cancel(request: AccessRequest, now: Instant): RequestOutcome {
  if (request.status !== 'pending') return { refused: 'request-settled', status: request.status }
  return { events: [{ type: 'request.cancelled', at: now }] }
}

export function fail(request: AccessRequest, { now, note }: { now: Instant; note: string }): RequestOutcome {
  if (request.status !== 'approved') return { refused: 'request-settled', status: request.status }
  return { events: [{ type: 'request.failed', at: now, note }] }
}

/** What time alone asks of a request. */
export function requestTimePassed(request: AccessRequest, now: Instant): RequestOutcome {
  const expired = request.status === 'pending' && now >= request.pendingUntil
  return { events: expired ? [{ type: 'request.expired', at: now }] : [] }
}
