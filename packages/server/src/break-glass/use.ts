/**
 * Breaking glass: a registered person gets a role that policy lists for it at once, alone, in one call. Request, grant
 * and the review of it are one transaction, so that none of them is there without the others, whatever dies.
 */

import { ApiError } from '@tidegate/api'
import type { Decision, Millis } from '@tidegate/core'
import { formatInstant, principalKey } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import { isToldOfUse } from '../configuration/webhook-rules.ts'
import type { Caller } from '../identity/identity.ts'
import type { Activation } from '../lifecycle/activate-grant.ts'
import { partiesOf } from '../lifecycle/file-request.ts'
import type { Filed } from '../lifecycle/file-request.ts'
import type { BegunAccess, OpenedAccess } from '../lifecycle/open-access.ts'
import { beginAccess, openFiled } from '../lifecycle/open-access.ts'
import { ask } from '../lifecycle/question.ts'
import { canStepUp } from '../lifecycle/step-up.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Refusal } from './registered.ts'
import { registrationRefusal } from './registered.ts'
import type { ReviewRow } from './reviews.ts'
import { openReview, overdueReview } from './reviews.ts'

export type Breaking = {
  readonly caller: Caller
  readonly role: string
  readonly duration: Millis
  readonly reason: string
}

export type Broken = { readonly filed: Filed; readonly review: ReviewRow; readonly opened: OpenedAccess }

type Done = { readonly begun: BegunAccess; readonly review: ReviewRow }

/** @throws {ApiError} `break-glass-refused`, or `step-up-needed`; that someone tried is in the log */
export async function breakGlass(deps: Activation, breaking: Breaking): Promise<Broken> {
  const outcome = await change(deps, (unit) => beginBreaking(deps, unit, breaking))
  if ('refused' in outcome) throw outcome.refused
  const { begun, review } = outcome
  const opened = await openFiled(deps, breaking.caller, begun)
  if (!opened) throw new Error(`The grant of ${review.id} was not begun.`)
  return { filed: begun.filed, review, opened }
}

async function beginBreaking(
  deps: Activation,
  unit: Unit,
  breaking: Breaking,
): Promise<Done | { readonly refused: ApiError }> {
  const snapshot = await deps.configurations.current(unit.tx)
  const { breakGlass: declared } = snapshot.declared
  const refused = await whyNot(unit, { ...breaking, snapshot })
  if (refused || !declared) return { refused: recordRefusal(unit, breaking, refused) }
  const { caller, ...wish } = breaking
  const begun = await beginAccess(deps, unit, { caller, filing: { ...wish, action: 'break-glass' }, snapshot })
  const { grant, decision } = begun.filed
  // A fact came between the two.
  if (!grant) return { refused: recordRefusal(unit, breaking, policyCause(decision)) }
  const webhooks = snapshot.declared.webhooks.filter((webhook) => isToldOfUse(webhook, grant.resource))
  const told = { breakGlass: declared, webhooks: webhooks.map(({ id }) => id) }
  return { begun, review: await openReview(unit, { grant, reason: breaking.reason, ...told }) }
}

type Refused = Refusal & { readonly decision?: Decision }

async function whyNot(
  unit: Unit,
  { caller, role, duration, snapshot }: Breaking & { readonly snapshot: Snapshot },
): Promise<Refused | undefined> {
  const registration = registrationRefusal(snapshot, { ...caller, role, duration })
  if (registration) return registration
  const overdue = await overdueReview(unit.tx, caller.principal.id, unit.now)
  if (overdue)
    return {
      cause: 'unreviewed',
      detail: `Your use of ${formatInstant(overdue.usedAt)} is not reviewed, and was to be by ${formatInstant(overdue.dueAt)}. A reviewer closes it first: tidegate reviews close ${overdue.id} --comment "…".`,
    }
  return policyRefusal(unit, { caller, role, duration, snapshot })
}

/** Asking and opening are one act here, so policy has to say yes to both. */
async function policyRefusal(
  unit: Unit,
  { caller, role, duration, snapshot }: Omit<Breaking, 'reason'> & { readonly snapshot: Snapshot },
): Promise<Refused | undefined> {
  for (const step of ['request', 'connect'] as const) {
    const asked = { ...partiesOf(snapshot, caller, role), step, duration, action: 'break-glass' } as const
    const { decision } = await ask(unit.tx, asked, { ...unit, snapshot })
    if (decision.outcome !== 'permit') return policyCause(decision)
  }
  return undefined
}

const notRegistered: Refused = { cause: 'not-registered', detail: 'You are not registered for it.' }

const policyCause = (decision: Decision): Refused => ({
  cause: 'policy',
  detail: decision.reasons[0] ?? 'Policy says no.',
  decision,
})

function recordRefusal(unit: Unit, { caller, role }: Breaking, refused: Refused | undefined): ApiError {
  const { cause, detail, decision, need } = refused ?? notRegistered
  const fields = { role, cause, principal: principalKey(caller.principal) }
  unit.record({ type: 'break-glass.refused', at: unit.now, fields })
  const isWeak = need !== undefined || decision?.outcome === 'step-up'
  const code = isWeak && canStepUp(caller) ? 'step-up-needed' : 'break-glass-refused'
  return new ApiError(code, { detail, ...(decision && { decision }), ...(need && { need }) })
}
