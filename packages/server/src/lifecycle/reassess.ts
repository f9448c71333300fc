/** A fact changed, or time went by: the same question again, for whatever rests on the old answer. */

import type { Approval, EndReason, Signal } from '@tidegate/core'
import { grantCommands } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import { tokenAuthentication } from '../identity/tokens.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { GrantFilter, StoredGrant } from '../store/grants.ts'
import { lockGrant, openGrants } from '../store/grants.ts'
import { approvalsOfRequests, findRequest, insertDecision, lockRequest } from '../store/requests.ts'
import type { Allowance } from './allowed.ts'
import { mostAllowed } from './allowed.ts'
import type { Lifecycle } from './context.ts'
import { endGrant } from './end-grant.ts'
import { createGrant } from './file-request.ts'
import { hasMoved } from './moved.ts'
import type { Asked } from './question.ts'
import { ask, askedFor, askWith, readSignals, signalSubjects } from './question.ts'
import { saveGrant, saveRequest } from './save.ts'

export type Reassessed = { readonly asked: number; readonly ended: readonly string[] }

type Because = Extract<EndReason, 'fact-changed' | 'policy-changed'>

/** One transaction a grant: a long list never holds locks on all of it. */
export async function reassessGrants(lifecycle: Lifecycle, filter: GrantFilter, because: Because): Promise<Reassessed> {
  const grants = await openGrants(lifecycle.db, filter)
  const ended: string[] = []
  for (const { id } of grants) {
    const after = await change(lifecycle, (unit) => reassessGrant(lifecycle, unit, { id, because }))
    if (after === 'ended') ended.push(id)
  }
  return { asked: grants.length, ended }
}

type Verdict = 'kept' | 'shortened' | 'ended'

async function reassessGrant(
  lifecycle: Lifecycle,
  unit: Unit,
  { id, because }: { id: string; because: Because },
): Promise<Verdict> {
  const snapshot = await lifecycle.configurations.current(unit.tx)
  const grant = await lockGrant(unit.tx, id)
  if (!grant || grant.state === 'ending' || grant.state === 'ended') return 'kept'
  const finding = await judge(lifecycle, unit, { grant, snapshot })
  if (finding.moved)
    return end(unit, {
      grant,
      reason: 'resource-changed',
      note: 'The resource was removed, or points to another target.',
    })
  if (!finding.allowance) {
    return end(unit, { grant, reason: 'policy-changed', note: 'The principal or the role is no longer there.' })
  }
  // Not in use: it is asked about again when it is activated, and facts may have come back by then.
  if (grant.state === 'scheduled' || grant.state === 'ready') return 'kept'
  const { question, decision, allowed } = finding.allowance
  if (allowed === undefined) {
    unit.send(insertDecision(unit.tx, question, decision))
    const after = {
      id,
      end: { reason: because, at: unit.now, note: decision.reasons[0] ?? 'Policy says no.' },
      decision,
    }
    await endGrant(unit, after)
    return 'ended'
  }
  const shorter = grantCommands.shorten(grant, { now: unit.now, allowed })
  if ('refused' in shorter || shorter.events.length === 0) return 'kept'
  unit.send(insertDecision(unit.tx, question, decision))
  await saveGrant(unit, grant, { events: shorter.events, decision })
  return 'shortened'
}

type Judged = { readonly moved: boolean; readonly allowance?: Allowance }

async function judge(
  { findPrincipal, configurations }: Lifecycle,
  { tx, now, runtime }: Unit,
  { grant, snapshot }: { grant: StoredGrant; snapshot: Snapshot },
): Promise<Judged> {
  const request = await findRequest(tx, grant.request)
  const authentication = tokenAuthentication(grant.activatedAt ?? now)
  const asked = request && askedFor(request, { snapshot, findPrincipal, authentication })
  if (await hasMoved(configurations, tx, { grant, snapshot })) return { moved: true }
  if (!asked) return { moved: false }
  const approvals: Approval[] = await approvalsOfRequests(tx, [grant.request])
  const signals: Signal[] = await readSignals(tx, signalSubjects(asked))
  const askOnce = (one: Asked) => askWith(one, { snapshot, now, runtime, signals })
  return { moved: false, allowance: mostAllowed(asked, { snapshot, approvals, askOnce }) }
}

async function end(
  unit: Unit,
  { grant, reason, note }: { grant: StoredGrant; reason: EndReason; note: string },
): Promise<'ended'> {
  await endGrant(unit, { id: grant.id, end: { reason, at: unit.now, note } })
  return 'ended'
}

/** Pending requests that policy now permits without people are approved; a "no" leaves them to their approvers. */
export async function reassessRequests(lifecycle: Lifecycle): Promise<number> {
  const rows = await lifecycle.db
    .selectFrom('accessRequest')
    .select('id')
    .where('status', '=', 'pending')
    .orderBy('id')
    .execute()
  let approved = 0
  for (const { id } of rows) {
    if (await change(lifecycle, (unit) => reassessRequest(lifecycle, unit, id))) approved++
  }
  return approved
}

async function reassessRequest(lifecycle: Lifecycle, unit: Unit, id: string): Promise<boolean> {
  const { tx, now, runtime } = unit
  const request = await lockRequest(tx, id)
  if (!request || request.status !== 'pending' || now >= request.pendingUntil) return false
  const snapshot = await lifecycle.configurations.current(tx)
  const { findPrincipal } = lifecycle
  const asked = askedFor(request, { snapshot, findPrincipal, authentication: tokenAuthentication(now) })
  if (!asked) return false
  const { question, decision } = await ask(tx, asked, { snapshot, now, runtime })
  if (decision.outcome !== 'permit') return false
  unit.send(insertDecision(tx, question, decision))
  const approved = { type: 'request.approved', at: now, by: 'policy', grant: newId(runtime, 'grant') } as const
  const decided = { ...request, decision: decision.id }
  const saved = await saveRequest(unit, decided, { events: [approved], decision })
  await createGrant(unit, saved, { snapshot })
  return true
}
