/** An approver answers; a requester takes back. The question is asked again before a yes counts. */

import { ApiError } from '@tidegate/api'
import type { AccessRequest, Approval, ApprovalPath, Decision, Principal, Verdict } from '@tidegate/core'
import { eligibility, grantCommands, openSpecs, requestCommands } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import { findPrincipal } from '../identity/principals.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import type { Tx } from '../store/database.ts'
import { approvalsOfRequests, findDecisions, insertDecision, lockRequest } from '../store/requests.ts'
import { scheduleTendingSoon } from '../targets/schedule-tending.ts'
import { authenticationOfRequest } from './authentication.ts'
import type { Lifecycle } from './context.ts'
import { giveApproved } from './file-request.ts'
import { lockExtended } from './move-end.ts'
import { ask, askedFor } from './question.ts'
import { saveRequest } from './save.ts'
import { policyRefuses } from './step-up.ts'

type Answer = {
  readonly caller: Caller
  readonly id: string
  readonly verdict: Verdict
  readonly comment?: string
  readonly version?: number
}

export async function answerRequest(lifecycle: Lifecycle, unit: Unit, answer: Answer): Promise<AccessRequest> {
  const { tx, now, runtime } = unit
  const extended = await lockExtended(unit, answer.id)
  const request = await lockRequest(tx, answer.id)
  if (!request) throw new ApiError('not-found')
  const snapshot = await lifecycle.configurations.current(tx)
  const { findPrincipals } = lifecycle
  const requester = await findPrincipal(findPrincipals, tx, { snapshot, ref: request.principal, now })
  if (request.status !== 'pending') throw settled(request)
  if (extended && !grantCommands.givesAccess(extended, now)) throw settled({ ...request, status: 'expired' })
  if (answer.version !== undefined && answer.version !== request.version) {
    throw new ApiError('request-changed', {
      detail: `It is at version ${request.version}, and the answer was given for ${answer.version}.`,
    })
  }
  const asked = askedFor(request, {
    snapshot,
    principal: requester,
    authentication: authenticationOfRequest(request, now),
    step: 'approve',
    approver: answer.caller.authentication,
  })
  if (!requester || !asked)
    throw new ApiError('policy-refuses', { detail: 'The requester or the role is no longer there.' })
  const { question, decision } = await ask(tx, asked, { snapshot, now, runtime })
  const earlier = await approvalsOfRequests(tx, [request.id])
  const approval: Approval = {
    id: newId(runtime, 'approval'),
    request: request.id,
    approver: answer.caller.principal.id,
    verdict: answer.verdict,
    as: eligibleAs({
      requester,
      approver: answer.caller.principal,
      snapshot,
      request,
      earlier,
      paths: await openPaths(tx, request, decision),
    }),
    at: now,
    ...(answer.comment !== undefined && { comment: answer.comment }),
  }
  const grant = extended?.id ?? newId(runtime, 'grant')
  const outcome = requestCommands.answer(request, { approval, earlier, decision, grant })
  if ('refused' in outcome) throw refusal(outcome, request, answer.caller)
  unit.send(insertDecision(tx, question, decision))
  const decided = { ...request, decision: decision.id }
  const saved = await saveRequest(unit, decided, { events: outcome.events, decision })
  if (saved.status !== 'approved') return saved
  await giveApproved(unit, saved, { snapshot, decision, extended })
  if (extended) await scheduleTendingSoon(unit, extended.resource)
  return saved
}

type Standing = {
  readonly requester: Principal
  readonly approver: Principal
  readonly snapshot: Snapshot
  readonly request: AccessRequest
  readonly paths: readonly ApprovalPath[]
  readonly earlier: readonly Approval[]
}

/** Where policy asks nobody any more, whoever it asked last may still settle the request. */
async function openPaths(tx: Tx, request: AccessRequest, decision: Decision): Promise<readonly ApprovalPath[]> {
  if (decision.outcome === 'approve') return decision.paths
  const last = (await findDecisions(tx, [request.decision])).get(request.decision)
  return last?.outcome === 'approve' ? last.paths : []
}

/** Under what the caller answers. Throws for who may not; a person who answered already is told that first. */
function eligibleAs({ requester, approver, snapshot, request, paths, earlier }: Standing): readonly string[] {
  const resource = snapshot.resources.get(request.resource)?.resource
  if (!resource) throw new ApiError('not-found')
  const open = openSpecs(paths, requestCommands.approvalsOf(earlier))
  const result = eligibility({ requester, approver, resource, open })
  if (result.eligible) return result.as
  if (result.why === 'own-request') throw new ApiError('own-request')
  if (earlier.some((one) => one.approver === approver.id)) throw new ApiError('already-answered')
  throw new ApiError('not-an-approver', { detail: `It waits for: ${open.join(', ')}.` })
}

const settled = (request: AccessRequest): ApiError =>
  new ApiError('request-settled', { detail: `It is ${request.status}.` })

function refusal(
  outcome: Extract<ReturnType<typeof requestCommands.answer>, { refused: string }>,
  request: AccessRequest,
  caller: Caller,
): ApiError {
  switch (outcome.refused) {
    case 'request-settled':
      return settled({ ...request, status: outcome.status })
    case 'already-answered':
      return new ApiError('already-answered')
    case 'policy-refuses':
      return policyRefuses(caller, outcome.decision)
  }
}

/** Only the requester takes back, and only what is pending. */
export async function cancelRequest(
  unit: Unit,
  { caller, id }: { caller: Caller; id: string },
): Promise<AccessRequest> {
  const request = await lockRequest(unit.tx, id)
  const own =
    request && request.principal.kind === caller.principal.kind && request.principal.id === caller.principal.id
  if (!own) throw new ApiError('not-found')
  const outcome = requestCommands.cancel(request, unit.now)
  if ('refused' in outcome) throw settled(request)
  return saveRequest(unit, request, { events: outcome.events })
}
