/**
 * What can be done to a grant. Each command answers with the events it makes and what has to be seen to,
 * or with a refusal; it changes nothing itself.
 */

import type { Obligation } from '../obligation.ts'
import { holdToTheSame } from '../obligation.ts'
import type { RequestId } from '../ids.ts'
import type { Instant, Millis } from '../time.ts'
import { after, earlier, instant } from '../time.ts'
import type { Grant, GrantEffect, GrantEnd, GrantEvent } from './grant.ts'
import type { GrantState } from './transitions.ts'

export type GrantRefusal =
  | { readonly refused: 'grant-ended'; readonly end: GrantEnd | undefined }
  | { readonly refused: 'grant-not-started'; readonly startAt: Instant }
  | { readonly refused: 'grant-lapsed' }
  | { readonly refused: 'stale-attempt' }
  | { readonly refused: 'wrong-state'; readonly state: GrantState }

export type GrantOutcome =
  | { readonly events: readonly GrantEvent[]; readonly effects: readonly GrantEffect[] }
  | GrantRefusal

const events = (list: readonly GrantEvent[], ...effects: GrantEffect[]): GrantOutcome => ({ events: list, effects })

/**
 * The holder asks for a credential. From `ready` the clock starts; while opening is still being tried it starts
 * again, because no credential has been handed out yet; on an active grant the secret is made anew and the end stays.
 *
 * @param allowed the longest that policy gives now; it can only shorten what was asked for
 */
export function activate(grant: Grant, { now, allowed }: { now: Instant; allowed: Millis }): GrantOutcome {
  switch (grant.state) {
    case 'scheduled': {
      const startAt = grant.startAt ?? grant.activateBy
      if (now < startAt) return { refused: 'grant-not-started', startAt }
      return opening(grant, { now, allowed }, [{ type: 'grant.ready', at: now }])
    }
    case 'ready':
    case 'provisioning':
      return opening(grant, { now, allowed }, [])
    case 'active':
      if (hasExpired(grant, now)) return { refused: 'grant-ended', end: { reason: 'expired', at: now } }
      return events([{ type: 'grant.reissued', at: now }], 'open')
    case 'ending':
    case 'ended':
      return { refused: 'grant-ended', end: grant.end }
  }
}

type Opening = { readonly now: Instant; readonly allowed: Millis }

function opening(grant: Grant, { now, allowed }: Opening, before: readonly GrantEvent[]): GrantOutcome {
  if (now >= grant.activateBy) return { refused: 'grant-lapsed' }
  const duration = Math.min(grant.duration, allowed) as Millis
  return events([...before, { type: 'grant.opening', at: now, duration, expiresAt: after(now, duration) }], 'open')
}

/** The target says the credential works. Refused when the grant was ended meanwhile, or a later attempt is under way. */
export function opened(grant: Grant, { now, attempt }: { now: Instant; attempt: number }): GrantOutcome {
  if (grant.attempt !== attempt) return { refused: 'stale-attempt' }
  if (grant.state === 'ending' || grant.state === 'ended') return { refused: 'grant-ended', end: grant.end }
  if (grant.state !== 'provisioning' && grant.state !== 'active') return { refused: 'wrong-state', state: grant.state }
  if (hasExpired(grant, now)) return { refused: 'grant-ended', end: { reason: 'expired', at: now } }
  return events(grant.state === 'active' ? [] : [{ type: 'grant.opened', at: now }])
}

type OpenFailure = { now: Instant; attempt: number; cause: string; leftNothing: boolean; giveUp: boolean }

/**
 * Opening failed. With `giveUp` the grant ends. Without, its holder may try again: from `ready` when nothing can
 * have been left on the target, otherwise from `provisioning`, until the reconciler ends it as interrupted.
 */
export function openFailed(grant: Grant, { now, attempt, cause, leftNothing, giveUp }: OpenFailure): GrantOutcome {
  if (grant.attempt !== attempt) return { refused: 'stale-attempt' }
  if (grant.state !== 'provisioning') return { refused: 'wrong-state', state: grant.state }
  const failed: GrantEvent = { type: 'grant.open-failed', at: now, cause, leftNothing }
  const clean = leftNothing && grant.unsureAttempts === 1
  if (!giveUp) return events(clean ? [failed, { type: 'grant.waiting', at: now }] : [failed])
  const grantEnd: GrantEnd = { reason: 'open-failed', at: now, note: cause }
  return clean
    ? events([failed, { type: 'grant.ended', at: now, end: grantEnd }])
    : events([failed, { type: 'grant.ending', at: now, end: grantEnd }], 'close')
}

/** Every way a grant ends comes through here: expiry, "done", revoke, a changed fact. Final. */
export function end(grant: Grant, grantEnd: GrantEnd): GrantOutcome {
  switch (grant.state) {
    case 'scheduled':
    case 'ready':
      return events([{ type: 'grant.ended', at: grantEnd.at, end: grantEnd }])
    case 'provisioning':
    case 'active':
      return events([{ type: 'grant.ending', at: grantEnd.at, end: grantEnd }], 'close')
    case 'ending':
    case 'ended':
      return { refused: 'grant-ended', end: grant.end }
  }
}

/** The target was read back and nothing is left. */
export function closed(grant: Grant, { now, sessionsEnded }: { now: Instant; sessionsEnded: number }): GrantOutcome {
  if (grant.state !== 'ending' || !grant.end) return { refused: 'wrong-state', state: grant.state }
  return events([{ type: 'grant.ended', at: now, end: grant.end, closed: { sessionsEnded } }])
}

/** Policy gives less than it did: the grant ends earlier, never later. */
export function shorten(grant: Grant, { now, allowed }: { now: Instant; allowed: Millis }): GrantOutcome {
  const running = grant.state === 'provisioning' || grant.state === 'active'
  const from = grant.extension?.at ?? grant.activatedAt
  if (!running || from === undefined || grant.expiresAt === undefined) return events([])
  const expiresAt = after(from, allowed)
  return expiresAt < grant.expiresAt ? events([{ type: 'grant.shortened', at: now, expiresAt }]) : events([])
}

/** Policy asks this of its sessions, from here on. */
export function oblige(
  grant: Grant,
  { now, obligations }: { now: Instant; obligations: readonly Obligation[] },
): GrantOutcome {
  if (grant.state === 'ending' || grant.state === 'ended') return { refused: 'grant-ended', end: grant.end }
  if (holdToTheSame(grant.obligations, obligations)) return events([])
  return events([{ type: 'grant.obliged', at: now, obligations }])
}

/** @property duration what was asked for anew and is permitted, counted from now */
type Extension = { readonly now: Instant; readonly request: RequestId; readonly duration: Millis }

/**
 * It ends later than it would have: only while it gives access, and by a request of its own. Nothing happens to what
 * lasts that long already.
 */
export function extend(grant: Grant, { now, request, duration }: Extension): GrantOutcome {
  if (grant.state === 'ending' || grant.state === 'ended') return { refused: 'grant-ended', end: grant.end }
  if (grant.state !== 'active') return { refused: 'wrong-state', state: grant.state }
  if (hasExpired(grant, now)) return { refused: 'grant-ended', end: { reason: 'expired', at: now } }
  // A clock that is behind the one that activated it counts from there.
  const at = instant(Math.max(now, grant.activatedAt ?? now))
  const expiresAt = after(at, duration)
  return lastsUntil(grant, expiresAt)
    ? events([])
    : events([{ type: 'grant.extended', at, request, duration, expiresAt }])
}

/** Without being extended. */
export const lastsUntil = ({ expiresAt }: Pick<Grant, 'expiresAt'>, at: Instant): boolean =>
  expiresAt !== undefined && at <= expiresAt

/**
 * What time alone asks of a grant: called by the reconciler with a grant that is due, and with its clock.
 * Empty when there is nothing to do yet.
 */
export function timePassed(grant: Grant, { now, provisioningTimeout }: Clock): GrantOutcome {
  switch (grant.state) {
    case 'scheduled':
      return now >= (grant.startAt ?? now) ? events([{ type: 'grant.ready', at: now }]) : events([])
    case 'ready':
      return now >= grant.activateBy ? end(grant, { reason: 'lapsed', at: now }) : events([])
    case 'provisioning': {
      if (hasExpired(grant, now)) return end(grant, { reason: 'expired', at: now })
      const interrupted = now >= after(grant.activatedAt ?? now, provisioningTimeout)
      return interrupted ? end(grant, { reason: 'open-failed', at: now, note: 'opening was interrupted' }) : events([])
    }
    case 'active':
      return hasExpired(grant, now) ? end(grant, { reason: 'expired', at: now }) : events([])
    case 'ending':
      return events([], 'close')
    case 'ended':
      return events([])
  }
}

/** @property provisioningTimeout an attempt to open without a result for this long counts as interrupted */
type Clock = { readonly now: Instant; readonly provisioningTimeout: Millis }

/** An instant is outside the grant from `expiresAt` on, that instant included. A clock without an end has run out. */
export const hasExpired = (grant: Pick<Grant, 'expiresAt'>, now: Instant): boolean =>
  grant.expiresAt === undefined || now >= grant.expiresAt

/** The grant gives access at this instant. The only place that says so. */
export const givesAccess = (grant: Grant, now: Instant): boolean => grant.state === 'active' && !hasExpired(grant, now)

/** When the reconciler has to look at the grant next; `undefined`: never again. */
export function dueAt(grant: Grant, { now, provisioningTimeout }: Clock): Instant | undefined {
  switch (grant.state) {
    case 'scheduled':
      return grant.startAt ?? now
    case 'ready':
      return grant.activateBy
    case 'provisioning': {
      const interrupted = after(grant.activatedAt ?? now, provisioningTimeout)
      return grant.expiresAt === undefined ? interrupted : earlier(grant.expiresAt, interrupted)
    }
    case 'active':
      return grant.expiresAt ?? now
    case 'ending':
      return now
    case 'ended':
      return undefined
  }
}
