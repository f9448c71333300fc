/** A fact changed, or time went by: the same question again, for whatever rests on the old answer. */

import { setTimeout as delay } from 'node:timers/promises'
import type { AccessRequest, Approval, EndReason, GrantEvent, GrantId, Instant, Signal } from '@tidegate/core'
import { grantCommands, principalKey, restsOn } from '@tidegate/core'
import { isUnregistered } from '../break-glass/registered.ts'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Principals } from '../identity/principals.ts'
import { findPrincipal } from '../identity/principals.ts'
import { newId } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import type { GrantFilter, StoredGrant } from '../store/grants.ts'
import { lockGrant, openGrantPages } from '../store/grants.ts'
import { approvalsOfRequests, findRequests, insertDecision, lockRequest, pendingRequests } from '../store/requests.ts'
import { scheduleTendingSoon } from '../targets/schedule-tending.ts'
import { mostAllowed } from './allowed.ts'
import { authenticationOfGrant, authenticationOfRequest } from './authentication.ts'
import type { Lifecycle } from './context.ts'
import { endGrant } from './end-grant.ts'
import { giveApproved } from './file-request.ts'
import { lockExtended } from './move-end.ts'
import { hasMoved } from './moved.ts'
import { isBeyondObliging, isPastGateway, obligingEvents } from './obliged.ts'
import type { Answered, Asked } from './question.ts'
import { ask, askedFor, askWith, readSignals, signalSubjects } from './question.ts'
import { runsOver } from './runs.ts'
import { saveGrant, saveRequest } from './save.ts'

export type Reassessed = { readonly asked: number; readonly ended: readonly string[] }

export type Reassessing = {
  readonly filter: GrantFilter
  readonly because: Because
  /** Nothing is known to have changed: whoever asks for access now goes first, and an abort ends it half done. */
  readonly leisurely?: AbortSignal
}

type Because = Extract<EndReason, 'fact-changed' | 'policy-changed'>

/** Grants that are asked about between two looks at the store. */
const pageSize = 500

/** Questions in a row, before others have their turn. */
const turn = 20

/** Of what questions took, so long is rested before the next ones, where there is time. */
const restFactor = 3

/**
 * Most answers stay what they were. So many are asked about at once, with facts read together, and only what the answer
 * would change is asked about again, by itself, in a transaction that holds it.
 */
export async function reassessGrants(
  lifecycle: Lifecycle,
  { filter, because, leisurely }: Reassessing,
): Promise<Reassessed> {
  const pause = leisurely ? rest(leisurely) : () => new Promise<void>(setImmediate)
  const ended: string[] = []
  let asked = 0
  for await (const grants of openGrantPages(lifecycle.db, filter, pageSize)) {
    if (leisurely?.aborted) break
    asked += grants.length
    for (const id of await wouldChange(lifecycle, grants, pause)) {
      if ((await change(lifecycle, (unit) => reassessGrant(lifecycle, unit, { id, because }))) === 'ended')
        ended.push(id)
    }
  }
  return { asked, ended }
}

/** @param tookMs by the questions since the last pause */
type Pause = (tookMs: number) => Promise<void>

const rest =
  (signal: AbortSignal): Pause =>
  (tookMs) =>
    delay(restFactor * tookMs, undefined, { signal }).catch(() => undefined)

async function wouldChange(
  lifecycle: Lifecycle,
  grants: readonly StoredGrant[],
  pause: Pause,
): Promise<readonly GrantId[]> {
  const { db, runtime } = lifecycle
  const facts = await readFacts(lifecycle, db, { grants, now: runtime.now() })
  const changed: GrantId[] = []
  let began = performance.now()
  for (const [index, grant] of grants.entries()) {
    if (index % turn === turn - 1) {
      await pause(performance.now() - began)
      began = performance.now()
    }
    if (consequenceOf(lifecycle, grant, { facts, now: runtime.now() }).becomes !== 'kept') changed.push(grant.id)
  }
  return changed
}

async function reassessGrant(
  lifecycle: Lifecycle,
  unit: Unit,
  { id, because }: { id: string; because: Because },
): Promise<Consequence['becomes']> {
  const grant = await lockGrant(unit.tx, id)
  if (!grant || grant.state === 'ending' || grant.state === 'ended') return 'kept'
  const facts = await readFacts(lifecycle, unit.tx, { grants: [grant], now: unit.now })
  const consequence = consequenceOf(lifecycle, grant, { facts, now: unit.now })
  if ('answered' in consequence)
    unit.send(insertDecision(unit.tx, consequence.answered.question, consequence.answered.decision))
  if (consequence.becomes === 'changed') {
    const { events, answered } = consequence
    const saved = await saveGrant(unit, grant, { events, decision: answered.decision })
    // The target was told a later end.
    if (saved.expiresAt !== grant.expiresAt) await scheduleTendingSoon(unit, grant.resource)
  } else if (consequence.becomes === 'ended') {
    const { reason = because, note, answered } = consequence
    const end = { reason, at: unit.now, note }
    await endGrant(unit, { id, end, ...(answered && { decision: answered.decision }) })
  }
  return consequence.becomes
}

/** What answers rest on, for some grants. */
type Facts = {
  readonly snapshot: Snapshot
  readonly requests: ReadonlyMap<string, AccessRequest>
  readonly approvals: ReadonlyMap<string, readonly Approval[]>
  /** By subject. */
  readonly signals: ReadonlyMap<string, readonly Signal[]>
  readonly moved: ReadonlySet<GrantId>
  /** Bound to a run that is over. */
  readonly over: ReadonlySet<string>
  readonly principals: Principals
}

type About = { readonly grants: readonly StoredGrant[]; readonly now: Instant }

async function readFacts(lifecycle: Lifecycle, reader: Reader, { grants, now }: About): Promise<Facts> {
  const ids = grants.map(restsOn)
  const [snapshot, requests, approvals] = await Promise.all([
    lifecycle.configurations.current(reader),
    findRequests(reader, ids),
    approvalsOfRequests(reader, ids),
  ])
  const moved = new Set<GrantId>()
  for (const grant of grants) {
    if (await hasMoved(lifecycle.configurations, reader, { grant, snapshot })) moved.add(grant.id)
  }
  const refs = requests.map(({ principal }) => principal)
  const principals = await lifecycle.findPrincipals(reader, { snapshot, refs, now })
  const subjects = requests.flatMap((request) => {
    const principal = principals.get(principalKey(request.principal))
    return principal
      ? signalSubjects({ principal, ...(request.ticket !== undefined && { ticket: request.ticket }) })
      : []
  })
  return {
    snapshot,
    requests: new Map(requests.map((request) => [request.id, request])),
    approvals: groupedBy(approvals, ({ request }) => request),
    signals: groupedBy(await readSignals(reader, [...new Set(subjects)]), ({ subject }) => subject),
    moved,
    over: await runsOver(reader, { grants, now }),
    principals,
  }
}

function groupedBy<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of list) {
    const key = keyOf(one)
    const group = groups.get(key)
    if (group) group.push(one)
    else groups.set(key, [one])
  }
  return groups
}

type Consequence =
  | { readonly becomes: 'kept' }
  | { readonly becomes: 'changed'; readonly events: readonly GrantEvent[]; readonly answered: Answered }
  /** Without a reason: the one for which it is asked. */
  | { readonly becomes: 'ended'; readonly reason?: EndReason; readonly note: string; readonly answered?: Answered }

type Judging = { readonly facts: Facts; readonly now: Instant }

function consequenceOf({ runtime }: Lifecycle, grant: StoredGrant, { facts, now }: Judging): Consequence {
  const { snapshot } = facts
  if (facts.moved.has(grant.id)) {
    return {
      becomes: 'ended',
      reason: 'resource-changed',
      note: 'The resource was removed, or points to another target.',
    }
  }
  const request = facts.requests.get(restsOn(grant))
  const principal = facts.principals.get(principalKey(grant.principal))
  if (!principal) return { becomes: 'ended', note: 'Its principal is no longer there, or not active.' }
  if (facts.over.has(grant.id)) return { becomes: 'ended', reason: 'task-ended', note: 'Its run is over.' }
  const authentication = authenticationOfGrant(grant, now)
  const asked = request && askedFor(request, { snapshot, principal, authentication, step: 'hold' })
  if (!asked) return { becomes: 'ended', reason: 'policy-changed', note: 'The role is no longer there.' }
  if (isUnregistered(request, principal, snapshot))
    return { becomes: 'ended', reason: 'policy-changed', note: 'Its holder is no longer registered to break glass.' }
  // Not in use: it is asked about again when it is activated, and facts may have come back by then.
  if (grant.state === 'scheduled' || grant.state === 'ready') return { becomes: 'kept' }
  const approvals = facts.approvals.get(restsOn(grant)) ?? []
  const signals = signalSubjects(asked).flatMap((subject) => facts.signals.get(subject) ?? [])
  const askOnce = (one: Asked) => askWith(one, { snapshot, now, runtime, signals })
  const { allowed, ...answered } = mostAllowed(asked, { snapshot, approvals, askOnce })
  if (allowed === undefined)
    return { becomes: 'ended', note: answered.decision.reasons[0] ?? 'Policy says no.', answered }
  if (isBeyondObliging(grant, answered.decision)) {
    return { becomes: 'ended', reason: 'policy-changed', note: 'Policy asks for a gateway, and it has none.', answered }
  }
  const entry = snapshot.resources.get(grant.resource)
  if (entry && isPastGateway(grant, entry.resource)) {
    return {
      becomes: 'ended',
      reason: 'resource-changed',
      note: 'The resource asks for a gateway, and it was opened without one.',
      answered,
    }
  }
  const shorter = grantCommands.shorten(grant, { now, allowed })
  const events = [
    ...('events' in shorter ? shorter.events : []),
    ...obligingEvents(grant, { now, decision: answered.decision }),
  ]
  return events.length === 0 ? { becomes: 'kept' } : { becomes: 'changed', events, answered }
}

/** Pending requests that policy now permits without people are approved; a "no" leaves them to their approvers. */
export async function reassessRequests(lifecycle: Lifecycle): Promise<number> {
  const pending = await pendingRequests(lifecycle.db)
  const snapshot = await lifecycle.configurations.current(lifecycle.db)
  let approved = 0
  for (const request of pending) {
    const { decision } = (await askAbout(lifecycle, lifecycle.db, { request, snapshot })) ?? {}
    if (decision?.outcome !== 'permit') continue
    if (await change(lifecycle, (unit) => reassessRequest(lifecycle, unit, request.id))) approved++
  }
  return approved
}

async function reassessRequest(lifecycle: Lifecycle, unit: Unit, id: string): Promise<boolean> {
  const { tx, now, runtime } = unit
  const extended = await lockExtended(unit, id)
  if (extended && !grantCommands.givesAccess(extended, now)) return false
  const request = await lockRequest(tx, id)
  if (!request || request.status !== 'pending' || now >= request.pendingUntil) return false
  const snapshot = await lifecycle.configurations.current(tx)
  const answered = await askAbout(lifecycle, tx, { request, snapshot })
  if (answered?.decision.outcome !== 'permit') return false
  const { question, decision } = answered
  if (extended && isBeyondObliging(extended, decision)) return false
  unit.send(insertDecision(tx, question, decision))
  const grant = extended?.id ?? newId(runtime, 'grant')
  const approved = { type: 'request.approved', at: now, by: 'policy', grant } as const
  const decided = { ...request, decision: decision.id }
  const saved = await saveRequest(unit, decided, { events: [approved], decision })
  await giveApproved(unit, saved, { snapshot, decision, extended })
  if (extended) await scheduleTendingSoon(unit, extended.resource)
  return true
}

type AboutRequest = { readonly request: AccessRequest; readonly snapshot: Snapshot }

/** `undefined`: its principal or role is no longer there. */
async function askAbout(
  { findPrincipals, runtime }: Lifecycle,
  reader: Reader,
  { request, snapshot }: AboutRequest,
): Promise<Answered | undefined> {
  const now = runtime.now()
  const principal = await findPrincipal(findPrincipals, reader, { snapshot, ref: request.principal, now })
  const authentication = authenticationOfRequest(request, now)
  const asked = askedFor(request, { snapshot, principal, authentication, step: 'request' })
  return asked && ask(reader, asked, { snapshot, now, runtime })
}
