/** Someone asks. */

import { ApiError } from '@tidegate/api'
import type { AccessRequest, Action, Decision, Grant, Instant, Millis } from '@tidegate/core'
import { after, earlier, formatDuration, requestCommands } from '@tidegate/core'
import { findRole } from '../configuration/snapshot.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import type { StoredGrant } from '../store/grants.ts'
import { insertGrant } from '../store/grants.ts'
import { insertDecision } from '../store/requests.ts'
import type { Lifecycle } from './context.ts'
import { lifecycleLimits } from './limits.ts'
import type { Answered } from './question.ts'
import { ask, askWith, readSignals, signalSubjects } from './question.ts'
import { moveEnd } from './move-end.ts'
import { saveNewRequest } from './save.ts'
import { canStepUp, stepUpNeeded } from './step-up.ts'

export type Wish = {
  /** `orders-db/readonly` */
  readonly role: string
  readonly duration: Millis
  /** Absent: `access`. */
  readonly action?: Exclude<Action, 'access'>
  readonly ticket?: string
  readonly task?: string
}

export type Filing = Wish & {
  readonly reason: string
  readonly startAt?: Instant
  /** Locked, and open: it is to end later. Absent: a grant of its own. */
  readonly extends?: StoredGrant
}

export type Filed = {
  readonly request: AccessRequest
  readonly decision: Decision
  readonly snapshot: Snapshot
  /** Absent: policy does not give it at once. */
  readonly grant?: Grant
}

/** What would be answered now. Files nothing. */
export async function askOnly(
  { db, runtime, configurations }: Lifecycle,
  caller: Caller,
  wish: Wish,
): Promise<Decision> {
  const snapshot = await configurations.current(db)
  const now = runtime.now()
  const { decision } = await ask(db, { ...wish, ...partiesOf(snapshot, caller, wish.role) }, { snapshot, now, runtime })
  return decision
}

type Asking = {
  readonly caller: Caller
  readonly filing: Filing
  /** What the transaction goes by already: whoever looked at one configuration is not answered by the next. */
  readonly snapshot?: Snapshot
}

/** Files the request with policy's answer. A permitted one becomes a grant, or extends one, in the same transaction. */
export async function fileRequest(
  lifecycle: Lifecycle,
  unit: Unit,
  { caller, filing, snapshot: known }: Asking,
): Promise<Filed> {
  const { tx, now, runtime } = unit
  checkStart(filing.startAt, now)
  const [snapshot, signals] = await Promise.all([
    known ?? lifecycle.configurations.current(tx),
    readSignals(tx, signalSubjects({ ...filing, principal: caller.principal })),
  ])
  const asked = partiesOf(snapshot, caller, filing.role)
  const { question, decision } = askWith({ ...filing, ...asked }, { snapshot, now, runtime, signals })
  // Who can do something about it at once is not refused, and need not ask anew afterwards.
  if (decision.outcome === 'step-up' && canStepUp(caller)) throw stepUpNeeded(decision)
  unit.send(insertDecision(tx, question, decision))
  const extended = filing.extends
  const pendingUntil = after(now, snapshot.declared.settings.requestTimeout)
  const request: AccessRequest = {
    id: newId(runtime, 'request'),
    principal: { kind: caller.principal.kind, id: caller.principal.id },
    resource: asked.resource.id,
    role: asked.role.name,
    duration: filing.duration,
    reason: filing.reason,
    status: 'pending',
    version: 1,
    decision: decision.id,
    filedAt: now,
    ...(caller.authentication.method !== 'token' && { authentication: caller.authentication }),
    // What is over cannot end later.
    pendingUntil: earlier(pendingUntil, extended?.expiresAt ?? pendingUntil),
    ...(filing.action !== undefined && { action: filing.action }),
    ...(filing.ticket !== undefined && { ticket: filing.ticket }),
    ...(filing.task !== undefined && { task: filing.task }),
    ...(filing.startAt !== undefined && { startAt: filing.startAt }),
    ...(extended && { extends: extended.id }),
  }
  const events = requestCommands.file(decision, { now, grant: extended?.id ?? newId(runtime, 'grant') })
  const settled = await saveNewRequest(unit, request, { events, decision, principal: caller.principal })
  const grant = settled.grant && (await giveApproved(unit, settled, { snapshot, decision, extended }))
  return { request: settled, decision, snapshot, ...(grant && { grant }) }
}

/** @throws {ApiError} `unknown-role` */
export function partiesOf(
  snapshot: Snapshot,
  caller: Caller,
  roleText: string,
): Pick<Answered['question'], 'principal' | 'resource' | 'role' | 'authentication' | 'step'> {
  const [resource = '', role = ''] = roleText.split('/')
  const found = findRole(snapshot, resource, role)
  if (!found) throw unknownRole(snapshot, roleText)
  const { principal, authentication } = caller
  return { principal, authentication, step: 'request', resource: found.entry.resource, role: found.role }
}

function unknownRole(snapshot: Snapshot, roleText: string): ApiError {
  const entry = snapshot.resources.get(roleText.split('/')[0] ?? '')
  const detail = entry
    ? `${roleText} is not there; ${entry.resource.id} has ${[...entry.roles.keys()].join(', ')}.`
    : `${roleText} is not there; no resource has that id.`
  return new ApiError('unknown-role', { detail, problems: [{ field: 'role', message: detail }] })
}

function checkStart(startAt: Instant | undefined, now: Instant): void {
  if (startAt === undefined) return
  const problem =
    startAt <= now
      ? 'The start time is over.'
      : startAt > after(now, lifecycleLimits.furthestStart)
        ? `The start time is more than ${formatDuration(lifecycleLimits.furthestStart)} away.`
        : undefined
  if (problem !== undefined) {
    throw new ApiError('invalid-input', {
      problems: [{ field: 'startAt', message: problem, remedy: 'Leave it out to start at once.' }],
    })
  }
}

type Approved = {
  readonly snapshot: Snapshot
  readonly decision: Decision
  /** Locked, and open. Absent: it asks for a grant of its own. */
  readonly extended: StoredGrant | undefined
}

/** What an approved request makes: a grant, or a later end of one. */
export const giveApproved = (
  unit: Unit,
  request: AccessRequest,
  { snapshot, decision, extended }: Approved,
): Promise<Grant> =>
  extended ? moveEnd(unit, extended, { request, decision }) : createGrant(unit, request, { snapshot })

/** The grant of an approved request. It can be activated from its start on, for as long as the activation window. */
async function createGrant(unit: Unit, request: AccessRequest, { snapshot }: { snapshot: Snapshot }): Promise<Grant> {
  const { now } = unit
  if (request.grant === undefined) throw new Error(`Request ${request.id} is approved without a grant id.`)
  const later = request.startAt !== undefined && request.startAt > now ? request.startAt : undefined
  const activateBy = after(later ?? now, snapshot.declared.settings.activationWindow)
  const grant: Grant = {
    id: request.grant,
    request: request.id,
    principal: request.principal,
    resource: request.resource,
    role: request.role,
    state: later === undefined ? 'ready' : 'scheduled',
    duration: request.duration,
    activateBy,
    attempt: 0,
    unsureAttempts: 0,
    obligations: [],
    ...(later !== undefined && { startAt: later }),
  }
  unit.send(insertGrant(unit.tx, grant, later ?? activateBy))
  unit.record(createdEntry(grant, now))
  if (later !== undefined) unit.hint({ to: 'due', at: later })
  return grant
}

const createdEntry = (grant: Grant, at: Instant): Parameters<Unit['record']>[0] => ({
  type: 'grant.created',
  at,
  request: grant.request,
  grant: grant.id,
  fields: {
    role: `${grant.resource}/${grant.role}`,
    principal: `${grant.principal.kind}:${grant.principal.id}`,
    durationSeconds: grant.duration / 1_000,
    startAt: grant.startAt === undefined ? undefined : new Date(grant.startAt).toISOString(),
    activateBy: new Date(grant.activateBy).toISOString(),
  },
})
