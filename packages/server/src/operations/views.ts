/** Domain values as the API shows them. */

import type { Output } from '@tidegate/api'
import type { Credential } from '@tidegate/connectors'
import type { AccessRequest, Approval, ApprovalPath, Change, Decision, Millis, Obligation } from '@tidegate/core'
import { formatInstant, openSpecs, principalKey, requestCommands, roleKey } from '@tidegate/core'
import type { Selectable } from 'kysely'
import type { ResourceEntry } from '../configuration/snapshot.ts'
import type { StoredEntry } from '../log/receipts.ts'
import type { Tables } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'

type DecisionView = Output<'ask'>

const wholeSeconds = (length: Millis): number => length / 1_000

export function decisionView(decision: Decision): DecisionView {
  const { id, policyVersion } = decision
  const basis = {
    id,
    policyVersion,
    policies: [...decision.policies],
    signals: decision.signals.map((signal) => ({ ...signal })),
    reasons: [...decision.reasons],
  }
  switch (decision.outcome) {
    case 'permit':
      return {
        outcome: 'permit',
        ...basis,
        obligations: obligationViews(decision.obligations),
        maxDurationSeconds: wholeSeconds(decision.maxDuration),
      }
    case 'approve':
      return {
        outcome: 'approve',
        ...basis,
        obligations: obligationViews(decision.obligations),
        paths: decision.paths.map(pathView),
      }
    case 'step-up':
      return { outcome: 'step-up', ...basis, need: decision.need }
    case 'deny':
      return {
        outcome: 'deny',
        ...basis,
        cause: decision.cause,
        remedies: decision.remedies.map(({ changes, outcome, text }) => ({
          changes: changes.map(changeView),
          outcome,
          text,
        })),
      }
  }
}

const obligationViews = (obligations: readonly Obligation[]) =>
  obligations.map(({ kind, name, policies }) => ({ kind, name, policies: [...policies] }))

const pathView = ({ policies, stages, maxDuration }: ApprovalPath) => ({
  policies: [...policies],
  stages: stages.map(({ approvers, count }) => ({ approvers: [...approvers], count })),
  maxDurationSeconds: wholeSeconds(maxDuration),
})

type ChangeView = Extract<DecisionView, { outcome: 'deny' }>['remedies'][number]['changes'][number]

function changeView(change: Change): ChangeView {
  switch (change.fact) {
    case 'duration':
      return { fact: 'duration', atMostSeconds: wholeSeconds(change.atMost) }
    case 'ticket':
      return { fact: 'ticket' }
    case 'signal':
      return { fact: 'signal', name: change.name, value: { ...change.value } }
    case 'authentication':
      return { fact: 'authentication', need: change.need }
  }
}

type Settled = { readonly request: AccessRequest; readonly decision: Decision; readonly approvals: readonly Approval[] }

export function requestView({ request, decision, approvals }: Settled): Output<'getRequest'> {
  const paths = decision.outcome === 'approve' ? decision.paths : []
  const pending = request.status === 'pending'
  return {
    id: request.id,
    principal: principalKey(request.principal),
    role: roleKey({ resource: request.resource, name: request.role }),
    durationSeconds: wholeSeconds(request.duration),
    reason: request.reason,
    status: request.status,
    version: request.version,
    filedAt: formatInstant(request.filedAt),
    pendingUntil: formatInstant(request.pendingUntil),
    decision: decisionView(decision),
    approvals: approvals.map(approvalView),
    waitingFor: pending ? [...openSpecs(paths, requestCommands.approvalsOf(approvals))] : [],
    ...(request.action !== undefined && { action: request.action }),
    ...(request.ticket !== undefined && { ticket: request.ticket }),
    ...(request.task !== undefined && { task: request.task }),
    ...(request.startAt !== undefined && { startAt: formatInstant(request.startAt) }),
    ...(request.settledAt !== undefined && { settledAt: formatInstant(request.settledAt) }),
    ...(request.extends !== undefined && { extends: request.extends }),
    ...(request.grant !== undefined && { grant: request.grant }),
  }
}

const approvalView = ({ id, approver, verdict, as, comment, at }: Approval) => ({
  id,
  approver: `user:${approver}`,
  verdict,
  as: [...as],
  at: formatInstant(at),
  ...(comment !== undefined && { comment }),
})

export function grantView(grant: StoredGrant): Output<'getGrant'> {
  const { end, closing, extension } = grant
  return {
    id: grant.id,
    request: grant.request,
    principal: principalKey(grant.principal),
    role: roleKey({ resource: grant.resource, name: grant.role }),
    state: grant.state,
    durationSeconds: wholeSeconds(grant.duration),
    activateBy: formatInstant(grant.activateBy),
    obligations: obligationViews(grant.obligations),
    ...(grant.startAt !== undefined && { startAt: formatInstant(grant.startAt) }),
    ...(grant.activatedAt !== undefined && { activatedAt: formatInstant(grant.activatedAt) }),
    ...(grant.expiresAt !== undefined && { expiresAt: formatInstant(grant.expiresAt) }),
    ...(extension && { extension: { request: extension.request, at: formatInstant(extension.at) } }),
    ...(grant.endedAt !== undefined && { endedAt: formatInstant(grant.endedAt) }),
    ...(end && { end: { ...end, at: formatInstant(end.at) } }),
    ...(grant.state === 'ending' && { closing }),
  }
}

export const credentialView = (credential: Credential): Output<'activateGrant'>['credential'] => ({
  ...credential,
  databases: [...credential.databases],
  expiresAt: formatInstant(credential.expiresAt),
})

export const resourceView = ({ resource, description, roles }: ResourceEntry): Output<'getResource'> => ({
  id: resource.id,
  kind: resource.kind,
  labels: { ...resource.labels },
  roles: [...roles.values()].map(({ role, description: about }) => ({
    role: roleKey(role),
    risk: role.risk,
    ...(about !== undefined && { description: about }),
  })),
  ...(description !== undefined && { description }),
  ...(resource.owner !== undefined && { owner: resource.owner }),
})

export const findingView = (row: Selectable<Tables['finding']>): Output<'closeFinding'> => ({
  id: row.id,
  kind: row.kind,
  subject: row.subject,
  severity: row.severity,
  message: row.message,
  openedAt: formatInstant(row.openedAt),
  lastSeenAt: formatInstant(row.lastSeenAt),
  ...(row.closedAt !== null && { closedAt: formatInstant(row.closedAt) }),
})

export const entryView = ({ entry, index, disclosures }: StoredEntry): Output<'listEntries'>['items'][number] => ({
  id: entry.id,
  type: entry.type,
  at: entry.at,
  entry,
  disclosed: Object.fromEntries(disclosures.map(({ path, value }) => [path, value])),
  ...(index !== undefined && { index }),
})
