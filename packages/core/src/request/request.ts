/** A request, and how its events change it. */

import type { Action, ApprovalPath, Authentication } from '../decision.ts'
import type { ApprovalId, DecisionId, GrantId, RequestId } from '../ids.ts'
import type { PrincipalRef } from '../principal.ts'
import type { Instant, Millis } from '../time.ts'
import type { RequestStatus } from './transitions.ts'

export type AccessRequest = {
  readonly id: RequestId
  readonly principal: PrincipalRef
  readonly resource: string
  readonly role: string
  /** As what policy is asked. Absent: `access`. */
  readonly action?: Exclude<Action, 'access'>
  readonly duration: Millis
  readonly reason: string
  readonly ticket?: string
  readonly task?: string
  /** Not before. Absent: at once. */
  readonly startAt?: Instant
  readonly status: RequestStatus
  /** Grows with every change that is saved. An approver may say which one they have seen. */
  readonly version: number
  /** The latest decision on it. */
  readonly decision: DecisionId
  readonly filedAt: Instant
  /** How its principal had proved who it is. Absent: by a token. */
  readonly authentication?: Authentication
  /** An unanswered request expires here. */
  readonly pendingUntil: Instant
  readonly settledAt?: Instant
  /** That this grant, which is open, end later. Absent: a grant of its own. */
  readonly extends?: GrantId
  /** Set once approved: the grant that came of it, or that it extended. */
  readonly grant?: GrantId
}

export type Verdict = 'approve' | 'deny'

export type Approval = {
  readonly id: ApprovalId
  readonly request: RequestId
  /** User id: only people approve. */
  readonly approver: string
  readonly verdict: Verdict
  /** Under what the approver was eligible when they answered: group ids, `manager`, `owner`. Never empty. */
  readonly as: readonly string[]
  readonly comment?: string
  readonly at: Instant
}

export type RequestEvent =
  | { readonly type: 'request.filed'; readonly at: Instant }
  | { readonly type: 'request.answered'; readonly at: Instant; readonly approval: Approval }
  | {
      readonly type: 'request.approved'
      readonly at: Instant
      readonly by: 'policy' | 'people'
      readonly path?: ApprovalPath
      readonly grant: GrantId
    }
  | { readonly type: 'request.denied'; readonly at: Instant; readonly by: 'policy' | 'people'; readonly note?: string }
  | { readonly type: 'request.cancelled'; readonly at: Instant }
  | { readonly type: 'request.expired'; readonly at: Instant }
  | { readonly type: 'request.failed'; readonly at: Instant; readonly note: string }

export function evolveRequest(request: AccessRequest, event: RequestEvent): AccessRequest {
  switch (event.type) {
    case 'request.filed':
    case 'request.answered':
      return request
    case 'request.approved':
      return { ...request, status: 'approved', settledAt: event.at, grant: event.grant }
    case 'request.denied':
      return { ...request, status: 'denied', settledAt: event.at }
    case 'request.cancelled':
      return { ...request, status: 'cancelled', settledAt: event.at }
    case 'request.expired':
      return { ...request, status: 'expired', settledAt: event.at }
    case 'request.failed':
      return { ...request, status: 'failed' }
  }
}
