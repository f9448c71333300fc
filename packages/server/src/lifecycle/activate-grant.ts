/**
 * The holder activates a grant and gets its credential.
 *
 * Two transactions. The first asks the question again and commits the intent: from there on the reconciler knows that
 * something may be on the target, whatever happens to this process. The second holds the grant's lock, opens the
 * target and records what came of it.
 */

import { ApiError } from '@tidegate/api'
import type { Credential, OpenOutcome } from '@tidegate/connectors'
import type { AccessRequest, Approval, Grant, GrantEvent, Instant, Signal } from '@tidegate/core'
import {
  administrationResource,
  endReasons,
  formatInstant,
  grantCommands,
  isAdministration,
  roleKey,
} from '@tidegate/core'
import { isUnregistered } from '../break-glass/registered.ts'
import type { ResourceEntry, Snapshot } from '../configuration/snapshot.ts'
import type { Password, WayIn } from '../gateways/way-in.ts'
import { leadThrough, makePassword, wayIn } from '../gateways/way-in.ts'
import type { Caller } from '../identity/identity.ts'
import { findPrincipal } from '../identity/principals.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import { isLockTimeout, setLockTimeout } from '../store/database.ts'
import type { StoredGrant } from '../store/grants.ts'
import type { Activating } from '../store/grants.ts'
import { findGrant, keepLogin, lockGrant } from '../store/grants.ts'
import { approvalsOfGrant, findRequestOfGrant, insertDecision } from '../store/requests.ts'
import { tryGrantLock } from '../targets/grant-lock.ts'
import { scheduleTendingSoon } from '../targets/schedule-tending.ts'
import type { Targets } from '../targets/targets.ts'
import type { Allowance } from './allowed.ts'
import { mostAllowed } from './allowed.ts'
import type { Lifecycle } from './context.ts'
import { lifecycleLimits } from './limits.ts'
import { policyRefuses } from './step-up.ts'
import { askedFor, askWith, readSignals, signalSubjects } from './question.ts'
import { failRequest } from './fail-request.ts'
import { hasMoved } from './moved.ts'
import { beyondObliging, isBeyondObliging, obligingEvents } from './obliged.ts'
import { checkRun } from './runs.ts'
import { saveGrant } from './save.ts'

export type Activation = Lifecycle & {
  /** Connections for work that waits on targets, so that a slow one does not keep others from the store. */
  readonly workDb: Database
  readonly targets: Targets
}

export type Activated = { readonly grant: StoredGrant; readonly credential: Credential }

export async function activateGrant(
  deps: Activation,
  { caller, id }: { caller: Caller; id: string },
): Promise<Activated> {
  const begun = await change(deps, (unit) => begin(deps, unit, { caller, id, as: 'login' })).catch((error: unknown) => {
    throw isLockTimeout(error) ? new ApiError('grant-busy') : error
  })
  return openBegun(deps, begun)
}

/**
 * The holder begins to use a role of Tidegate itself. There is no target, so that one transaction is all of it. One that
 * is in use already stays as it is.
 */
export async function assumeGrant(
  deps: Lifecycle,
  { caller, id }: { readonly caller: Caller; readonly id: string },
): Promise<StoredGrant> {
  const held = await findGrant(deps.db, id)
  const own = held && held.principal.kind === caller.principal.kind && held.principal.id === caller.principal.id
  if (own && isOfTidegate(held) && grantCommands.givesAccess(held, deps.runtime.now())) return held
  const begun = await change(deps, (unit) => begin(deps, unit, { caller, id, as: 'role' })).catch((error: unknown) => {
    throw isLockTimeout(error) ? new ApiError('grant-busy') : error
  })
  return storedGrant(deps, begun)
}

export async function storedGrant({ db }: Pick<Lifecycle, 'db'>, { grant }: Begun): Promise<StoredGrant> {
  const stored = await findGrant(db, grant.id)
  if (!stored) throw new Error(`Grant ${grant.id} is gone from the store.`)
  return stored
}

export const isOfTidegate = ({ resource }: Pick<Grant, 'resource'>): boolean => resource === administrationResource

/** Nothing has to be opened for a role of Tidegate itself: it is held from the moment that its clock starts. */
export const heldAtOnce = ({ resource }: ResourceEntry, now: Instant): readonly GrantEvent[] =>
  isAdministration(resource) ? [{ type: 'grant.opened', at: now }] : []

/** The second transaction: what was begun is done at the target. */
export async function openBegun(deps: Activation, begun: Begun): Promise<Activated> {
  const work = { ...deps, db: deps.workDb }
  const turn = await deps.targets.takeTurn(begun.entry.resource.id)
  try {
    const result = await change(work, (unit) =>
      turn ? openTarget(deps, unit, begun) : recordCrowd({ ...unit, now: deps.runtime.now() }, begun),
    )
    if ('refusal' in result) throw result.refusal
    return result
  } finally {
    turn?.()
  }
}

/** Too many were at this target for too long; nothing was sent to it. */
async function recordCrowd(unit: Unit, begun: Begun): Promise<{ refusal: ApiError }> {
  const grant = await lockGrant(unit.tx, begun.grant.id)
  if (!grant) throw new Error(`Grant ${begun.grant.id} is gone from the store.`)
  const message = 'Too many grants are being opened on it at once.'
  const outcome = { outcome: 'failed', notDone: true, cause: 'timeout', message } as const
  return { refusal: await recordFailure(unit, { grant, attempt: begun.grant.attempt, begun, outcome }) }
}

export type Begun = {
  readonly grant: Grant
  readonly entry: ResourceEntry
  /** Absent: the holder goes to the target itself. */
  readonly way: WayIn | undefined
}

type Beginning = { readonly caller: Caller; readonly id: string; readonly as: 'login' | 'role' }

/** @throws {ApiError} `invalid-input` for a role of Tidegate itself that is to be opened, and for any other that is not */
function checkWay(grant: Grant, as: Beginning['as']): void {
  if (isOfTidegate(grant) === (as === 'role')) return
  const [message, remedy] =
    as === 'login'
      ? [
          'It is of a role of Tidegate itself, which has no login.',
          `Assume it: tidegate assume tidegate/${grant.role}.`,
        ]
      : ['It is of a role on a target, which is opened.', `Open it: tidegate connect ${grant.resource}/${grant.role}.`]
  throw new ApiError('invalid-input', { detail: message, problems: [{ field: 'id', message, remedy }] })
}

async function begin(lifecycle: Lifecycle, unit: Unit, { caller, id, as }: Beginning): Promise<Begun> {
  // Sent together and carried out in this order: what is read is as it is once the row is locked.
  const subjects = signalSubjects(caller)
  const [, grant, snapshot, request, approvals, signals] = await Promise.all([
    // Whoever closes it holds the row for as long as the target takes: its holder keeps no connection waiting for that.
    setLockTimeout(unit.tx, lifecycleLimits.rowPatience),
    lockGrant(unit.tx, id),
    lifecycle.configurations.current(unit.tx),
    findRequestOfGrant(unit.tx, id),
    approvalsOfGrant(unit.tx, id),
    readSignals(unit.tx, subjects),
  ])
  const own = grant && grant.principal.kind === caller.principal.kind && grant.principal.id === caller.principal.id
  if (!own) throw new ApiError('not-found')
  checkRun(request, caller)
  checkWay(grant, as)
  // Another attempt that is at the target now goes on; a new one would only make its result stale.
  if (grant.state !== 'ready' && !(await tryGrantLock(unit.tx, id))) throw new ApiError('grant-busy')
  if (await hasMoved(lifecycle.configurations, unit.tx, { grant, snapshot })) {
    throw new ApiError('policy-refuses', {
      detail: 'It was opened on a target that the resource no longer has, and is ending. Request access again.',
    })
  }
  const read = { subjects, signals }
  const { allowance, entry } = await askAgain(lifecycle, unit, { grant, caller, snapshot, request, approvals, read })
  // What has ended is said before what policy thinks of it.
  const outcome = grantCommands.activate(grant, { now: unit.now, allowed: allowance?.allowed ?? grant.duration })
  if ('refused' in outcome) throw activationRefusal(outcome)
  if (!allowance || !entry) throw new ApiError('policy-refuses', { detail: 'The role is no longer there.' })
  if (request && isUnregistered(request, caller.principal, snapshot))
    throw new ApiError('policy-refuses', {
      detail: 'You are no longer registered to break glass for it; it is ending.',
    })
  const { question, decision, allowed } = allowance
  if (allowed === undefined) throw policyRefuses(caller, decision)
  if (grant.state === 'active' && isBeyondObliging(grant, decision)) throw beyondObliging(decision)
  const way = await wayIn(lifecycle.gateways, unit, { grant, entry })
  unit.send(insertDecision(unit.tx, question, decision))
  const events = [
    ...outcome.events,
    ...obligingEvents(grant, { now: unit.now, decision }),
    ...(grant.state === 'active' ? [] : heldAtOnce(entry, unit.now)),
  ]
  const saved = await saveGrant(unit, grant, { events, decision, activating: activatingAs(caller, snapshot) })
  return { grant: saved, entry, way }
}

/** What is remembered of whoever activates it. */
export const activatingAs = ({ authentication, login }: Caller, { version }: Snapshot): Activating => ({
  configuration: version,
  authentication,
  ...(login !== undefined && { login }),
})

type Standing = {
  readonly grant: Grant
  readonly caller: Caller
  readonly snapshot: Snapshot
  readonly request: AccessRequest | undefined
  readonly approvals: readonly Approval[]
  readonly read: { readonly subjects: readonly string[]; readonly signals: readonly Signal[] }
}

async function askAgain(
  { findPrincipals }: Lifecycle,
  { tx, now, runtime }: Unit,
  { grant, caller, snapshot, request, approvals, read }: Standing,
): Promise<{ allowance?: Allowance; entry?: ResourceEntry }> {
  const principal = await findPrincipal(findPrincipals, tx, { snapshot, ref: grant.principal, now })
  const { authentication } = caller
  const asked = request && askedFor(request, { snapshot, principal, authentication, step: 'connect' })
  const entry = snapshot.resources.get(grant.resource)
  if (!asked || !entry) return {}
  // A ticket has signals too, and who stands behind an agent may have changed since its caller was known.
  const needed = signalSubjects(asked)
  const enough = needed.every((subject) => read.subjects.includes(subject))
  const signals = enough ? read.signals : await readSignals(tx, needed)
  const askOnce = (one: typeof asked) => askWith(one, { snapshot, now, runtime, signals })
  return { entry, allowance: mostAllowed(asked, { snapshot, approvals, askOnce }) }
}

type GrantRefusal = Extract<ReturnType<typeof grantCommands.activate>, { refused: string }>

function activationRefusal(refusal: GrantRefusal): ApiError {
  switch (refusal.refused) {
    case 'grant-ended': {
      const { end } = refusal
      return new ApiError(
        'grant-ended',
        end ? { detail: `It ended at ${formatInstant(end.at)}: ${endReasons[end.reason]}.` } : {},
      )
    }
    case 'grant-not-started':
      return new ApiError('grant-not-started', { detail: `It starts at ${formatInstant(refusal.startAt)}.` })
    case 'grant-lapsed':
      return new ApiError('grant-lapsed')
    case 'stale-attempt':
    case 'wrong-state':
      return new ApiError('grant-busy')
  }
}

/** Refusals are returned, not thrown: what they rest on is committed. */
async function openTarget(deps: Activation, unit: Unit, begun: Begun): Promise<Activated | { refusal: ApiError }> {
  const { attempt, id } = begun.grant
  // The second is read once the first is had: whoever ended it before may have closed it already, and will not again.
  const [locked, standing] = await Promise.all([tryGrantLock(unit.tx, id), findGrant(unit.tx, id)])
  if (!locked || !standing) return { refusal: new ApiError('grant-busy') }
  const before = grantCommands.opened(standing, { now: deps.runtime.now(), attempt })
  if ('refused' in before) return { refusal: activationRefusal(before) }
  const [outcome, password] = await Promise.all([
    openSafely(deps.targets, begun),
    begun.way && makePassword(deps.runtime.random, standing.loginVerifier),
  ])
  const grant = await lockGrant(unit.tx, id)
  if (!grant) throw new Error(`Grant ${id} is gone from the store.`)
  // The clock has moved while the target was at work.
  const now = deps.runtime.now()
  if (outcome.outcome === 'failed')
    return { refusal: await recordFailure({ ...unit, now }, { grant, attempt, begun, outcome }) }
  const opened = grantCommands.opened(grant, { now, attempt })
  // Whatever ended it since we have the lock has seen to its closing, which waits for it.
  if ('refused' in opened) return { refusal: activationRefusal(opened) }
  const saved = await saveGrant({ ...unit, now }, grant, { events: opened.events })
  // Its end was moved meanwhile, and the target was told what was so before.
  if (begun.grant.expiresAt !== saved.expiresAt) await scheduleTendingSoon(unit, grant.resource)
  const credential = credentialOf(unit, saved, { target: outcome.credential, way: begun.way, password })
  return { grant: { ...grant, ...saved }, credential }
}

type Obtained = {
  readonly target: Credential
  readonly way: WayIn | undefined
  readonly password: Password | undefined
}

/** The target's own, or where gateways stand before it, one of theirs. */
function credentialOf(unit: Unit, { id }: Grant, { target, way, password }: Obtained): Credential {
  if (!way || !password) return target
  const { kept, credential } = leadThrough(id, { target, way, password }, unit.runtime.random)
  unit.send(keepLogin(unit.tx, id, kept))
  unit.hint({ to: 'gateways', about: id })
  return credential
}

/** A connector that throws has broken its word; what it did is not known. */
async function openSafely(targets: Targets, { grant, entry }: Begun): Promise<OpenOutcome> {
  if (grant.expiresAt === undefined) throw new Error(`Grant ${grant.id} is being opened without an end.`)
  try {
    return await targets.connector(entry).open({ grant: grant.id, role: grant.role, expiresAt: grant.expiresAt })
  } catch {
    return { outcome: 'failed', notDone: false, cause: 'fault', message: 'The connector failed.' }
  }
}

type Failed = {
  readonly grant: Grant
  readonly attempt: number
  readonly begun: Begun
  readonly outcome: Extract<OpenOutcome, { outcome: 'failed' }>
}

async function recordFailure(unit: Unit, { grant, attempt, begun, outcome }: Failed): Promise<ApiError> {
  const waits = begun.entry.resource.whenUnreachable === 'wait'
  const failure = { now: unit.now, attempt, cause: outcome.cause, leftNothing: outcome.notDone, giveUp: !waits }
  const result = grantCommands.openFailed(grant, failure)
  const saved = 'events' in result ? await saveGrant(unit, grant, { events: result.events }) : grant
  if (saved.end?.reason === 'open-failed') await failRequest(unit, saved)
  const role = roleKey({ resource: grant.resource, name: grant.role })
  const next = saved.end ? 'The grant has ended.' : 'The grant is still there: activate it again later.'
  return new ApiError('target-unavailable', { detail: `${role}: ${outcome.message.replace(/\.?$/, '.')} ${next}` })
}
