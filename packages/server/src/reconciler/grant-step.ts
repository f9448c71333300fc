/**
 * One step with one grant that is due. The row is picked, worked on and written in one transaction, so that a process
 * that dies lets go of it at once, and what was not recorded is done again.
 */

import type { CloseOutcome } from '@tidegate/connectors'
import type { Instant, Millis } from '@tidegate/core'
import { after, grantCommands } from '@tidegate/core'
import type { ResourceEntry } from '../configuration/snapshot.ts'
import { closeFinding, openFinding } from '../findings/findings.ts'
import type { Activation } from '../lifecycle/activate-grant.ts'
import { failRequest } from '../lifecycle/fail-request.ts'
import { lifecycleLimits } from '../lifecycle/limits.ts'
import { saveGrant } from '../lifecycle/save.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Tx } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import type { GrantRow, StoredGrant } from '../store/grants.ts'
import { grantFromRow } from '../store/grants.ts'
import { tryGrantLock } from '../targets/grant-lock.ts'
import { backoff } from './backoff.ts'
import { reconcilerLimits } from './limits.ts'

export type Step = 'nothing-due' | 'done'

type Pick = {
  /** Resources with as much under way as they may have. */
  readonly saturated: () => readonly string[]
  /** Told which resource the step is for, before anything slow. */
  readonly picked: (resource: string) => void
}

export async function stepGrant(deps: Activation, pick: Pick): Promise<Step> {
  let mine: StoredGrant | undefined
  try {
    return await change({ db: deps.workDb, runtime: deps.runtime }, async (unit) => {
      mine = await pickDue(unit.tx, unit.now, pick.saturated())
      if (!mine) return 'nothing-due'
      pick.picked(mine.resource)
      await work(deps, unit, mine)
      return 'done'
    })
  } catch (error) {
    if (mine) await setAside(deps, mine)
    throw error
  }
}

/** A grant that cannot be worked on keeps no other from its turn, and gets another one itself. */
async function setAside({ workDb, runtime }: Activation, grant: StoredGrant): Promise<void> {
  const until = after(runtime.now(), reconcilerLimits.faultRetryMs as Millis)
  await change({ db: workDb, runtime }, (unit) => postpone(unit.tx, grant, until))
}

async function work(deps: Activation, unit: Unit, grant: StoredGrant): Promise<void> {
  const { now } = unit
  const outcome = grantCommands.timePassed(grant, { now, provisioningTimeout: lifecycleLimits.provisioningTimeout })
  if ('refused' in outcome) throw new Error(`Time alone was refused for ${grant.id}.`)
  if (outcome.events.length > 0) {
    const saved = await saveGrant(unit, grant, { events: outcome.events })
    if (saved.end?.reason === 'open-failed') await failRequest(unit, saved)
  } else if (grant.state === 'ending') await close(deps, unit, grant)
  else await postpone(unit.tx, grant, dueAgain(grant, now))
}

async function pickDue(tx: Tx, now: Instant, saturated: readonly string[]): Promise<StoredGrant | undefined> {
  let query = tx.selectFrom('accessGrant').selectAll().where('dueAt', '<=', boundInstant(now))
  if (saturated.length > 0) query = query.where('resource', 'not in', saturated)
  const row: GrantRow | undefined = await query.orderBy('dueAt').limit(1).forUpdate().skipLocked().executeTakeFirst()
  return row && grantFromRow(row)
}

/** Due by its row and not by its clock: another server's clock is ahead of ours. */
const dueAgain = (grant: StoredGrant, now: Instant): Instant => {
  const due = grantCommands.dueAt(grant, { now, provisioningTimeout: lifecycleLimits.provisioningTimeout })
  return due !== undefined && due > now ? due : after(now, reconcilerLimits.busyRetryMs as Millis)
}

async function postpone(tx: Tx, grant: StoredGrant, until: Instant): Promise<void> {
  await tx
    .updateTable('accessGrant')
    .set({ dueAt: instantParam(until) })
    .where('id', '=', grant.id)
    // What was committed although its answer was lost may have been its end.
    .where('state', '<>', 'ended')
    .execute()
}

async function close(deps: Activation, unit: Unit, grant: StoredGrant): Promise<void> {
  if (!(await tryGrantLock(unit.tx, grant.id))) {
    return postpone(unit.tx, grant, after(unit.now, reconcilerLimits.busyRetryMs as Millis))
  }
  const outcome = await closeTarget(deps, unit.tx, grant)
  const then = { ...unit, now: deps.runtime.now() }
  if (outcome.outcome === 'failed') return recordFailure(then, grant, outcome.message)
  const closed = grantCommands.closed(grant, { now: then.now, sessionsEnded: outcome.sessionsEnded })
  if ('refused' in closed) throw new Error(`Grant ${grant.id} was closed and could not be recorded so.`)
  await saveGrant(then, grant, { events: closed.events })
  if (grant.closing.failures > 0) await closeFinding(then, { kind: 'close-failing', subject: `grant:${grant.id}` })
}

async function closeTarget(deps: Activation, tx: Tx, grant: StoredGrant): Promise<CloseOutcome> {
  const entry = await whereItWasOpened(deps, tx, grant)
  if (!entry)
    return { outcome: 'failed', notDone: true, cause: 'misconfigured', message: 'No configuration knows its target.' }
  try {
    return await deps.targets.connector(entry).close(grant.id)
  } catch {
    // A connector that throws has broken its word; the next attempt finds out how things stand.
    return { outcome: 'failed', notDone: false, cause: 'fault', message: 'The connector failed.' }
  }
}

/**
 * The target of the present configuration, with whatever secret it has now; where the resource has moved since, the
 * target it was opened on.
 */
async function whereItWasOpened(
  { configurations }: Activation,
  tx: Tx,
  grant: StoredGrant,
): Promise<ResourceEntry | undefined> {
  const present = (await configurations.current(tx)).resources.get(grant.resource)
  if (grant.configuration === undefined) return present
  const then = (await configurations.at(tx, grant.configuration)).resources.get(grant.resource)
  return present && (!then || present.targetKey === then.targetKey) ? present : then
}

async function recordFailure(unit: Unit, grant: StoredGrant, message: string): Promise<void> {
  const failures = grant.closing.failures + 1
  await unit.tx
    .updateTable('accessGrant')
    .set({
      closeFailures: failures,
      closeError: message.slice(0, 1_000),
      dueAt: instantParam(after(unit.now, backoff(failures, unit.runtime.random))),
    })
    .where('id', '=', grant.id)
    .execute()
  await openFinding(unit, {
    kind: 'close-failing',
    subject: `grant:${grant.id}`,
    severity: 'high',
    message: `${grant.resource}/${grant.role} has ended and is not closed (${failures} attempts): ${message}`,
  })
}
