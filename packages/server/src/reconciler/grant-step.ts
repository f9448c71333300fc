/**
 * One step with grants that are due on one resource: a crowd that is due together is seen to together. Their rows are
 * picked, worked on and written in one transaction, so that a process that dies lets go of them at once, and what was
 * not recorded is done again.
 */

import type { CloseOutcome, Connector, Failure } from '@tidegate/connectors'
import type { GrantId, Instant, Millis } from '@tidegate/core'
import { after, grantCommands } from '@tidegate/core'
import { sql } from 'kysely'
import type { ResourceEntry, Snapshot } from '../configuration/snapshot.ts'
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
import { tryGrantLocks } from '../targets/grant-lock.ts'
import { backoff } from './backoff.ts'
import { reconcilerLimits } from './limits.ts'

export type Step = 'nothing-due' | 'done'

type Pick = {
  /** Resources with as much under way as they may have. */
  readonly saturated: () => readonly string[]
  /** Told which resource the step is for, before anything slow. */
  readonly picked: (resource: string) => void
  /** Grants that were in a step that failed: from there on each is seen to alone, until one has gone well. */
  readonly suspects: Set<GrantId>
}

export async function stepGrants(deps: Activation, pick: Pick): Promise<Step> {
  let mine: readonly StoredGrant[] = []
  try {
    const step = await change({ ...deps, db: deps.workDb }, async (unit) => {
      mine = await pickDue(unit.tx, unit.now, pick)
      const [first] = mine
      if (!first) return 'nothing-due'
      pick.picked(first.resource)
      await work(deps, unit, mine)
      return 'done'
    })
    for (const { id } of mine) pick.suspects.delete(id)
    return step
  } catch (error) {
    for (const { id } of mine) pick.suspects.add(id)
    if (mine.length > 0) await setAside(deps, mine)
    throw error
  }
}

/** Grants that cannot be worked on keep no other from its turn, and get another one themselves. */
async function setAside(deps: Activation, grants: readonly StoredGrant[]): Promise<void> {
  const until = after(deps.runtime.now(), reconcilerLimits.faultRetryMs as Millis)
  await change({ ...deps, db: deps.workDb }, async ({ tx }) => {
    for (const grant of grants) await postpone(tx, grant, until)
  })
}

/**
 * The oldest that nobody else is at, and with it what is due on its resource besides, among the next. One that has
 * failed to close comes alone: whatever holds it up holds up no other.
 */
export async function pickDue(
  tx: Tx,
  now: Instant,
  { saturated, suspects }: Omit<Pick, 'picked'>,
): Promise<readonly StoredGrant[]> {
  const due = sql`due_at <= ${boundInstant(now)} and resource <> all (${saturated()}::text[])`
  const alone = [...suspects]
  // What is locked is returned as it is then, and not as the statement saw it before it had the lock.
  // By their ids: through an index on the resource its whole history would be read.
  const { rows } = await sql<GrantRow>`
    with oldest as materialized (
      select access_grant.*, close_failures > 0 or id = any (${alone}::text[]) as alone
      from access_grant where ${due} order by due_at limit 1 for update skip locked
    ), next as materialized (
      select id, resource from access_grant where ${due} order by due_at limit ${reconcilerLimits.lookAhead}
    )
    select * from oldest
    union all
    select company.*, false from (
      select access_grant.* from access_grant
      where access_grant.id in (
          select next.id from next join oldest using (resource) where next.id <> oldest.id and not oldest.alone
        )
        and access_grant.due_at <= ${boundInstant(now)}
        and access_grant.close_failures = 0 and access_grant.id <> all (${alone}::text[])
      order by access_grant.due_at limit ${reconcilerLimits.together - 1} for update of access_grant skip locked
    ) as company`.execute(tx)
  return rows.map(grantFromRow)
}

async function work(deps: Activation, unit: Unit, grants: readonly StoredGrant[]): Promise<void> {
  const ending: StoredGrant[] = []
  for (const grant of grants) {
    const then = await letTimePass(unit, grant)
    if (then.state === 'ending') ending.push(then)
  }
  if (ending.length > 0) await close(deps, unit, ending)
}

async function letTimePass(unit: Unit, grant: StoredGrant): Promise<StoredGrant> {
  const { now } = unit
  const outcome = grantCommands.timePassed(grant, { now, provisioningTimeout: lifecycleLimits.provisioningTimeout })
  if ('refused' in outcome) throw new Error(`Time alone was refused for ${grant.id}.`)
  if (outcome.events.length === 0) {
    if (grant.state !== 'ending') await postpone(unit.tx, grant, dueAgain(grant, now))
    return grant
  }
  // What is ending is seen to here and now: no loop has to be told.
  const hint: Unit['hint'] = (one) => (one.to === 'gateways' ? unit.hint(one) : undefined)
  const saved = await saveGrant({ ...unit, hint }, grant, { events: outcome.events })
  if (saved.end?.reason === 'open-failed') await failRequest(unit, saved)
  return { ...grant, ...saved }
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

async function close(deps: Activation, unit: Unit, grants: readonly StoredGrant[]): Promise<void> {
  const ids = grants.map(({ id }) => id)
  const locked = await tryGrantLocks(unit.tx, ids)
  const until = after(unit.now, reconcilerLimits.busyRetryMs as Millis)
  for (const grant of grants.filter(({ id }) => !locked.has(id))) await postpone(unit.tx, grant, until)
  const mine = grants.filter(({ id }) => locked.has(id))
  const outcomes = await closeTargets(deps, unit.tx, mine)
  const then = { ...unit, now: deps.runtime.now() }
  for (const [index, grant] of mine.entries()) await record(then, grant, outcomes[index] ?? brokenWord)
}

async function record(unit: Unit, grant: StoredGrant, outcome: CloseOutcome): Promise<void> {
  if (outcome.outcome === 'failed') return recordFailure(unit, grant, outcome.message)
  const closed = grantCommands.closed(grant, { now: unit.now, sessionsEnded: outcome.sessionsEnded })
  if ('refused' in closed) throw new Error(`Grant ${grant.id} was closed and could not be recorded so.`)
  await saveGrant(unit, grant, { events: closed.events })
  if (grant.closing.failures > 0) await closeFinding(unit, { kind: 'close-failing', subject: `grant:${grant.id}` })
}

const unknownTarget: Failure = {
  outcome: 'failed',
  notDone: true,
  cause: 'misconfigured',
  message: 'No configuration knows its target.',
}

/** A connector that throws has broken its word; the next attempt finds out how things stand. */
const brokenWord: Failure = { outcome: 'failed', notDone: false, cause: 'fault', message: 'The connector failed.' }

/** Asked for at the same moment, so that a connector that can closes them together. */
async function closeTargets(deps: Activation, tx: Tx, grants: readonly StoredGrant[]): Promise<CloseOutcome[]> {
  const present = await deps.configurations.current(tx)
  const entries: (ResourceEntry | undefined)[] = []
  for (const grant of grants) entries.push(await whereItWasOpened(deps, { tx, present }, grant))
  return Promise.all(
    grants.map(async ({ id }, index) => {
      const entry = entries[index]
      return entry ? closeSafely(deps.targets.connector(entry), id) : unknownTarget
    }),
  )
}

async function closeSafely(connector: Connector, grant: GrantId): Promise<CloseOutcome> {
  try {
    return await connector.close(grant)
  } catch {
    return brokenWord
  }
}

/**
 * The target of the present configuration, with whatever secret it has now; where the resource has moved since, the
 * target it was opened on.
 */
async function whereItWasOpened(
  { configurations }: Activation,
  { tx, present }: { readonly tx: Tx; readonly present: Snapshot },
  { resource, configuration }: StoredGrant,
): Promise<ResourceEntry | undefined> {
  const now = present.resources.get(resource)
  if (configuration === undefined) return now
  const then = (await configurations.at(tx, configuration)).resources.get(resource)
  return now && (!then || now.targetKey === then.targetKey) ? now : then
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
