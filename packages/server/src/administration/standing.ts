/** Standing power is for when no grant can be had, so each use of it is told. */

import type { AdministrationAuth, OperationId } from '@tidegate/api'
import type { AdministrationRole } from '@tidegate/core'
import { principalKey } from '@tidegate/core'
import { openFinding } from '../findings/findings.ts'
import type { Caller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import { standingBehind } from './held.ts'

type Use = { readonly caller: Caller; readonly role: AdministrationRole; readonly operation: OperationId }

/** In the transaction of what is changed by it. Whoever only looks leaves nothing: to read is to change nothing. */
export async function recordStandingUse(unit: Unit, { caller, role, operation }: Use): Promise<void> {
  const by = principalKey(caller.principal)
  const { method } = caller.authentication
  unit.record({ type: 'administration.standing-used', at: unit.now, fields: { role, operation, method, by } })
  await openFinding(unit, {
    kind: 'standing-power-used',
    subject: by,
    severity: 'medium',
    message: `${by} used the standing power of tidegate/${role} (${operation}). For everyday work it is asked for: tidegate assume tidegate/${role}.`,
  })
}

/** For operations that let others through as well: they were let through as this. */
export async function actAs(unit: Unit, auth: AdministrationAuth, use: Omit<Use, 'role'>): Promise<void> {
  const role = standingBehind(use.caller, auth)
  if (role !== undefined) await recordStandingUse(unit, { ...use, role })
}
