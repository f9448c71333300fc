/** What must hold. Each answers with what is wrong, for people; `undefined`: nothing. */

import { evolveGrant, grantCommands, grantMayGo, instant, requestMayGo } from '@tidegate/core'
import type { Grant } from '@tidegate/core'
import type { Transition } from './transition.ts'
import type { Bounds, LateCause, World } from './world.ts'
import { usable } from './world.ts'

export type InvariantName =
  | 'access'
  | 'nothing stays open'
  | 'ending is final'
  | 'nothing left'
  | 'clock and attempts'
  | 'transitions'
  | 'only orphans are taken'

export type Step = {
  readonly before: World
  readonly transition: Transition
  readonly bounds: Bounds
  /** How something may come to be on the target after it was read back. */
  readonly mayBeLate: readonly LateCause[]
}

type Problem = string | undefined

/**
 * In the order in which they are asked: what breaks several is reported as the first.
 * `nothing stays open` is about the whole graph, and is checked there.
 */
export const invariants: Readonly<Record<Exclude<InvariantName, 'nothing stays open'>, (step: Step) => Problem>> = {
  transitions,
  'ending is final': endingIsFinal,
  'clock and attempts': clockAndAttempts,
  'only orphans are taken': onlyOrphans,
  'nothing left': nothingLeft,
  access,
}

const isOver = ({ state }: Grant): boolean => state === 'ending' || state === 'ended'

/**
 * A holder is let in, and has a session, only while the grant gives access or, in the windows that `windowOf` names, is
 * still being cut. In each of them the target itself stops letting in at an instant that the activation fixed.
 */
function access({ before, transition, bounds }: Step): Problem {
  const { to, deed } = transition
  const { grant } = to
  if (deed?.is === 'result' && deed.handsOut && !grantCommands.givesAccess(grant, deed.now))
    return 'A credential was handed out while the grant gave no access.'
  if (deed?.is === 'login' && windowOf(before) === undefined)
    return 'The holder was let in outside the grant and outside every window.'
  if (to.session && grant.state !== 'active' && grant.state !== 'ending')
    return `The holder has a session, and the grant is ${grant.state}.`
  if (!usable(to)) return undefined
  if (grant.state !== 'active' && grant.state !== 'ending')
    return `The holder could log in, and the grant is ${grant.state}.`
  const latest = startOf(grant) + bounds.duration
  return to.login && to.login.until > latest ? 'The target lets in for longer than was ever granted.' : undefined
}

export type Window = 'access' | 'ended, not cut yet' | 'expired by the servers, not by the target' | 'shortened'

/** Why the holder is let in now; `undefined`: for no reason that we know. */
export function windowOf({ grant, clock, login, targetOffset }: World): Window | undefined {
  if (grantCommands.givesAccess(grant, instant(clock))) return 'access'
  if (grant.state === 'ending') return 'ended, not cut yet'
  if (grant.state !== 'active' || grant.expiresAt === undefined || !login) return undefined
  if (login.until > grant.expiresAt) return 'shortened'
  return clock - grant.expiresAt < -targetOffset ? 'expired by the servers, not by the target' : undefined
}

function endingIsFinal({ before, transition: { to, deed } }: Step): Problem {
  if (!isOver(before.grant)) return undefined
  if (deed?.is === 'result' && deed.handsOut)
    return `A credential was handed out when the grant was ${before.grant.state}.`
  if (!isOver(to.grant) || (before.grant.state === 'ended' && to.grant.state !== 'ended'))
    return `From ${before.grant.state} it went back to ${to.grant.state}.`
  const first = before.grant.end
  const same = to.grant.end?.reason === first?.reason && to.grant.end?.at === first?.at
  return same ? undefined : 'It got another end than its first.'
}

/**
 * What has ended, or was never opened, has nothing on the target, but for what arrived after the target was read back,
 * in one of the ways that are known. Nobody knows the secret of such a login (`access` says so), and it has an end.
 */
function nothingLeft({ transition: { to }, mayBeLate, bounds }: Step): Problem {
  const { grant, login, inFlight } = to
  if (grant.state === 'scheduled' || grant.state === 'ready')
    return login || inFlight.length > 0 ? `It is ${grant.state}, and something of it is or may come to be.` : undefined
  if (grant.state !== 'ended' || !login) return undefined
  if (login.late === undefined) return 'It has ended, and its login was there before the target was read back.'
  if (!mayBeLate.includes(login.late))
    return `It has ended, and its login came after the target was read back (${login.late}).`
  const most = bounds.activateBy + bounds.duration * (bounds.extends ? 2 : 1)
  return login.until < most ? undefined : 'An orphan outlasts every activation.'
}

/** Where its duration is counted from. */
const startOf = ({ extension, activatedAt }: Grant): number => extension?.at ?? activatedAt ?? 0

function clockAndAttempts({ before: { grant, request }, transition: { to, deed }, bounds }: Step): Problem {
  const after = to.grant
  const later = (after.expiresAt ?? Infinity) > (grant.expiresAt ?? 0)
  const extended = after.extension !== grant.extension
  if (grant.state === 'active' && after.state === 'active' && later && !extended)
    return 'The end of an active grant moved away.'
  if (extended && !grantCommands.givesAccess(grant, instant(to.clock - bounds.serverLag)))
    return `It was extended when it was ${grant.state} and ended at ${grant.expiresAt}.`
  const started = after.activatedAt !== grant.activatedAt && after.activatedAt !== undefined
  if (started && after.state !== 'provisioning') return 'The clock started, and not by an activation.'
  if (started && after.activatedAt > to.clock) return 'The clock started later than now.'
  if (started && after.activatedAt < to.clock - bounds.serverLag) return 'The clock started before it was activated.'
  const length = (after.expiresAt ?? 0) - startOf(after)
  if (length > bounds.duration) return 'It lasts longer than was asked for.'
  if (deed?.is !== 'result' || deed.attempt === grant.attempt) return undefined
  const ignored = after === grant && to.request === request && !deed.handsOut
  return ignored ? undefined : `The result of attempt ${deed.attempt} counted, when ${grant.attempt} was the latest.`
}

function transitions({ before, transition: { to, events = [] } }: Step): Problem {
  let grant = before.grant
  for (const event of events) {
    const next = evolveGrant(grant, event)
    if (next.state !== grant.state && !grantMayGo(grant.state, next.state))
      return `It went from ${grant.state} to ${next.state}, which the table does not have.`
    grant = next
  }
  if (grant.state !== to.grant.state) return 'The row changed without an event.'
  const refused = storeRefuses(to)
  if (refused !== undefined) return `The store would refuse it: ${refused}.`
  const { from, status } = { from: before.request.status, status: to.request.status }
  if (from !== status && !requestMayGo(from, status))
    return `The request went from ${from} to ${status}, which the table does not have.`
  const failed = grant.end?.reason === 'open-failed'
  if (failed === (status === 'failed')) return undefined
  return failed ? 'It could not be opened, and its request does not say so.' : 'Its request failed, and it did not.'
}

/** The checks of the table `access_grant`. */
function storeRefuses({ grant, dueAt }: World): Problem {
  const { state, activatedAt, expiresAt, end, endedAt, unsureAttempts } = grant
  const open = state === 'provisioning' || state === 'active'
  if (open && (activatedAt === undefined || expiresAt === undefined)) return `it is ${state} without its times`
  if (activatedAt !== undefined && expiresAt !== undefined && expiresAt <= activatedAt)
    return 'it ends before it starts'
  if (isOver(grant) !== (end !== undefined)) return `it is ${state}, and its end does not go with that`
  if ((state === 'ended') !== (endedAt !== undefined)) return `it is ${state}, and when it ended does not go with that`
  if ((state === 'ended') !== (dueAt === undefined))
    return `it is ${state} and ${dueAt === undefined ? 'never ' : ''}due`
  const fresh = state === 'scheduled' || state === 'ready'
  return fresh && unsureAttempts !== 0 ? `it is ${state} with unsure attempts` : undefined
}

/** What a live grant gives is taken by its end alone. */
function onlyOrphans({ transition: { to } }: Step): Problem {
  const closing = to.work.some((work) => work.task === 'close' && work.by === 'tend' && work.at !== 'record')
  const live = to.grant.state === 'provisioning' || to.grant.state === 'active'
  return closing && live ? `Tend takes the login of a grant that is ${to.grant.state}.` : undefined
}
