/** The one way state changes: events evolve it, the row follows, and each event leaves its entry. */

import type { JsonValue } from '@tidegate/audit'
import type {
  AccessRequest,
  Decision,
  Grant,
  GrantEvent,
  Instant,
  Obligation,
  Principal,
  RequestEvent,
} from '@tidegate/core'
import {
  evolveGrant,
  evolveRequest,
  formatInstant,
  grantCommands,
  obligationKey,
  obligationsOf,
  principalKey,
  roleKey,
} from '@tidegate/core'
import { endWords } from '../gateways/end-words.ts'
import { actsForFields } from '../log/acts-for.ts'
import type { EntryDraft } from '../log/append.ts'
import { entryLimits } from '../log/limits.ts'
import type { Unit } from '../store/change.ts'
import type { Activating } from '../store/grants.ts'
import { updateGrant } from '../store/grants.ts'
import { insertApproval, insertRequest, updateRequest } from '../store/requests.ts'
import { lifecycleLimits } from './limits.ts'

type GrantChange = {
  readonly events: readonly GrantEvent[]
  /** The decision that the change rests on, where there is one. */
  readonly decision?: Decision | undefined
  readonly activating?: Activating
}

export async function saveGrant(
  unit: Unit,
  before: Grant & { readonly byGateway?: boolean },
  { events, decision, activating }: GrantChange,
): Promise<Grant> {
  if (events.length === 0) return before
  const dueOf = (one: Grant): Instant | undefined =>
    grantCommands.dueAt(one, { now: unit.now, provisioningTimeout: lifecycleLimits.provisioningTimeout })
  let grant = before
  let written = before.state
  for (const event of events) {
    const next = evolveGrant(grant, event)
    // The store refuses a row that skips a state, so a state on the way is written too.
    if (grant.state !== written && next.state !== grant.state) {
      unit.send(updateGrant(unit.tx, grant, { dueAt: dueOf(grant), activating }))
      written = grant.state
    }
    grant = next
    unit.record(grantEntry(grant, event, decision))
  }
  const dueAt = dueOf(grant)
  unit.send(updateGrant(unit.tx, grant, { dueAt, activating }))
  if (dueAt !== undefined) unit.hint({ to: 'due', at: dueAt })
  if (before.byGateway) {
    const over = grant.end && endWords(grant.end.reason, grant.end.by ?? null)
    unit.hint({ to: 'gateways', about: grant.id, ...(over !== undefined && { over }) })
  }
  return grant
}

type RequestChange = { readonly events: readonly RequestEvent[]; readonly decision?: Decision }

type Filing = RequestChange & { readonly principal: Principal }

export async function saveRequest(
  unit: Unit,
  before: AccessRequest,
  { events, decision }: RequestChange,
): Promise<AccessRequest> {
  let request = before
  for (const event of events) {
    request = evolveRequest(request, event)
    if (event.type === 'request.answered') await insertApproval(unit.tx, event.approval)
    unit.record(requestEntry(request, event, decision))
  }
  return events.length > 0 ? updateRequest(unit.tx, request) : request
}

/** Written once, as what policy makes of it in the same transaction. */
export async function saveNewRequest(
  unit: Unit,
  filed: AccessRequest,
  { events, decision, principal }: Filing,
): Promise<AccessRequest> {
  let request = filed
  for (const event of events) {
    request = evolveRequest(request, event)
    const entry = requestEntry(request, event, decision)
    const chain = event.type === 'request.filed' ? actsForFields(principal) : {}
    unit.record({ ...entry, fields: { ...entry.fields, ...chain } })
  }
  unit.send(insertRequest(unit.tx, request))
  if (request.status === 'pending') unit.hint({ to: 'due', at: request.pendingUntil })
  return request
}

type Fields = Record<string, JsonValue | undefined>

/** What an entry says of the decision behind it. */
const decisionFields = (decision: Decision | undefined): Fields =>
  decision === undefined
    ? {}
    : {
        decision: decision.id,
        outcome: decision.outcome,
        policies: decision.policies.slice(0, entryLimits.policies),
        obligations: obligationWords(obligationsOf(decision)),
        policyVersion: decision.policyVersion,
        signals: decision.signals.map(({ name, source, ageMillis, fresh }) => ({ name, source, ageMillis, fresh })),
      }

const obligationWords = (obligations: readonly Obligation[]): string[] =>
  obligations.slice(0, entryLimits.obligations).map(obligationKey)

function grantEntry(grant: Grant, event: GrantEvent, decision: Decision | undefined): EntryDraft {
  const fields = grantFields(grant, event, decision)
  const request = event.type === 'grant.extended' ? event.request : grant.request
  return { type: event.type, at: event.at, request, grant: grant.id, fields }
}

function grantFields(grant: Grant, event: GrantEvent, decision: Decision | undefined): Fields {
  const principal = principalKey(grant.principal)
  const role = roleKey({ resource: grant.resource, name: grant.role })
  switch (event.type) {
    case 'grant.ready':
    case 'grant.waiting':
      return {}
    case 'grant.opening':
      return {
        role,
        principal,
        attempt: grant.attempt,
        expiresAt: formatInstant(event.expiresAt),
        ...decisionFields(decision),
      }
    case 'grant.opened':
      return { role, principal, expiresAt: grant.expiresAt === undefined ? undefined : formatInstant(grant.expiresAt) }
    case 'grant.reissued':
      return { attempt: grant.attempt }
    case 'grant.open-failed':
      return { attempt: grant.attempt, cause: event.cause, leftNothing: event.leftNothing }
    case 'grant.shortened':
      return { expiresAt: formatInstant(event.expiresAt), decision: decision?.id }
    case 'grant.obliged':
      return { role, obligations: obligationWords(event.obligations), decision: decision?.id }
    case 'grant.extended':
      return {
        role,
        principal,
        durationSeconds: event.duration / 1_000,
        expiresAt: formatInstant(event.expiresAt),
        ...decisionFields(decision),
      }
    case 'grant.ending':
      return { reason: event.end.reason, by: event.end.by, note: event.end.note, decision: decision?.id }
    case 'grant.ended':
      return {
        role,
        principal,
        reason: event.end.reason,
        activatedAt: grant.activatedAt === undefined ? undefined : formatInstant(grant.activatedAt),
        expiresAt: grant.expiresAt === undefined ? undefined : formatInstant(grant.expiresAt),
        endingAt: formatInstant(event.end.at),
        verifiedGone: event.closed !== undefined,
        sessionsEnded: event.closed?.sessionsEnded,
      }
  }
}

function requestEntry(request: AccessRequest, event: RequestEvent, decision: Decision | undefined): EntryDraft {
  const fields = requestFields(request, event, decision)
  const grant = request.grant ?? request.extends
  return { type: event.type, at: event.at, request: request.id, ...(grant !== undefined && { grant }), fields }
}

function requestFields(request: AccessRequest, event: RequestEvent, decision: Decision | undefined): Fields {
  switch (event.type) {
    case 'request.filed':
      return {
        role: roleKey({ resource: request.resource, name: request.role }),
        principal: principalKey(request.principal),
        durationSeconds: request.duration / 1_000,
        action: request.action,
        reason: request.reason,
        ticket: request.ticket,
        task: request.task,
        startAt: request.startAt === undefined ? undefined : formatInstant(request.startAt),
        ...decisionFields(decision),
      }
    case 'request.answered':
      return {
        approval: event.approval.id,
        approver: `user:${event.approval.approver}`,
        verdict: event.approval.verdict,
        as: [...event.approval.as],
        comment: event.approval.comment,
        decision: decision?.id,
        outcome: decision?.outcome,
        policyVersion: decision?.policyVersion,
      }
    case 'request.approved':
      return {
        by: event.by,
        decision: decision?.id,
        policies: (event.path?.policies ?? decision?.policies ?? []).slice(0, entryLimits.policies),
        stages: event.path?.stages.map(({ approvers, count }) => ({ approvers: [...approvers], count })),
      }
    case 'request.denied':
      return { by: event.by, decision: decision?.id, cause: decision?.outcome === 'deny' ? decision.cause : undefined }
    case 'request.failed':
      return { cause: event.note }
    case 'request.cancelled':
    case 'request.expired':
      return {}
  }
}
