/**
 * The holder asks for a grant that is open to end later. It is the same question, asked anew, and it is filed and
 * answered like any other request; what is approved moves the grant's end instead of making another grant.
 */

import { ApiError } from '@tidegate/api'
import type { Instant, Millis } from '@tidegate/core'
import { after, endReasons, formatDuration, formatInstant, grantCommands, restsOn } from '@tidegate/core'
import type { Caller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import type { Tx } from '../store/database.ts'
import { isLockTimeout, setLockTimeout } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'
import { lockGrant } from '../store/grants.ts'
import { findRequests } from '../store/requests.ts'
import type { Lifecycle } from './context.ts'
import type { Filed } from './file-request.ts'
import { fileRequest } from './file-request.ts'
import { lifecycleLimits } from './limits.ts'
import { hasMoved } from './moved.ts'
import { checkRun } from './runs.ts'

export type Extending = {
  readonly caller: Caller
  readonly id: string
  /** From when it is permitted. */
  readonly duration: Millis
  readonly reason: string
  /** Absent, with `task`: what the grant rests on so far. */
  readonly ticket?: string
  readonly task?: string
}

type Extended = { readonly filed: Filed; readonly grant: StoredGrant }

/** Files the request. Where policy permits it at once, the grant ends later in the same transaction. */
export async function extendGrant(lifecycle: Lifecycle, unit: Unit, extending: Extending): Promise<Extended> {
  const { caller, id, duration } = extending
  const grant = await lockPatiently(unit.tx, id)
  const own = grant && grant.principal.kind === caller.principal.kind && grant.principal.id === caller.principal.id
  if (!own) throw new ApiError('not-found')
  checkOpen(grant, unit.now)
  checkLater(grant, after(unit.now, duration), unit.now)
  const snapshot = await lifecycle.configurations.current(unit.tx)
  if (await hasMoved(lifecycle.configurations, unit.tx, { grant, snapshot })) {
    throw new ApiError('policy-refuses', {
      detail: 'It was opened on a target that the resource no longer has, and is ending. Request access again.',
    })
  }
  const [before] = await findRequests(unit.tx, [restsOn(grant)])
  checkRun(before, caller)
  const { reason, ticket = before?.ticket, task = before?.task } = extending
  const said = { reason, ...(ticket !== undefined && { ticket }), ...(task !== undefined && { task }) }
  const filing = { role: `${grant.resource}/${grant.role}`, duration, ...said, extends: grant }
  const filed = await fileRequest(lifecycle, unit, { caller, filing })
  return { filed, grant: { ...grant, ...filed.grant } }
}

/** Whoever closes it holds the row for as long as the target takes: its holder is not kept waiting for that. */
async function lockPatiently(tx: Tx, id: string): Promise<StoredGrant | undefined> {
  await setLockTimeout(tx, lifecycleLimits.rowPatience)
  return lockGrant(tx, id).catch((error: unknown) => {
    throw isLockTimeout(error) ? new ApiError('grant-busy') : error
  })
}

function checkOpen(grant: StoredGrant, now: Instant): void {
  const { state, end } = grant
  if (state === 'scheduled' || state === 'ready') {
    throw new ApiError('grant-not-started', { detail: 'Its clock has not started: there is nothing to extend yet.' })
  }
  if (state === 'provisioning') throw new ApiError('grant-busy')
  if (grantCommands.givesAccess(grant, now)) return
  const { reason, at } = end ?? { reason: 'expired', at: grant.expiresAt ?? now }
  throw new ApiError('grant-ended', { detail: `It ended at ${formatInstant(at)}: ${endReasons[reason]}.` })
}

function checkLater(grant: StoredGrant, until: Instant, now: Instant): void {
  if (!grantCommands.lastsUntil(grant, until)) return
  const { expiresAt = now } = grant
  const left = formatDuration((expiresAt - now) as Millis)
  const message = `It lasts as long already, until ${formatInstant(expiresAt)}.`
  const remedy = `Ask for more than ${left}: an extension counts from now.`
  throw new ApiError('invalid-input', { problems: [{ field: 'duration', message, remedy }] })
}
