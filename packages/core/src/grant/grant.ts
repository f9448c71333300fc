/** A grant, and how its events change it. */

import type { GrantId, RequestId } from '../ids.ts'
import type { Obligation } from '../obligation.ts'
import type { PrincipalRef } from '../principal.ts'
import type { Instant, Millis } from '../time.ts'
import type { EndReason, GrantState } from './transitions.ts'

export type Grant = {
  readonly id: GrantId
  readonly request: RequestId
  readonly principal: PrincipalRef
  readonly resource: string
  readonly role: string
  readonly state: GrantState
  /** How long it lasts: from its activation, or from where it was last extended. */
  readonly duration: Millis
  /** Not to be activated before. Absent: at once. */
  readonly startAt?: Instant
  /** Lapses when not activated before. */
  readonly activateBy: Instant
  /** Set by the latest attempt to open, when the clock starts. */
  readonly activatedAt?: Instant
  /** When the target first said that the credential works. Absent: no credential of it was ever handed out. */
  readonly openedAt?: Instant
  /** Always after `activatedAt`. The target holds this instant, or the one from before it was moved. */
  readonly expiresAt?: Instant
  /** The latest request that made it end later, and when. Absent: it was never extended. */
  readonly extension?: { readonly request: RequestId; readonly at: Instant }
  /** How often opening was tried. A result of an older attempt than the latest is ignored. */
  readonly attempt: number
  /**
   * Attempts that may have left something on the target, the one under way included: counted before the first
   * statement is sent, uncounted only by an outcome that says nothing was done.
   */
  readonly unsureAttempts: number
  /** What its sessions are held to beside what its role says. Empty before the first activation. */
  readonly obligations: readonly Obligation[]
  readonly end?: GrantEnd
  readonly endedAt?: Instant
}

export type GrantEnd = {
  readonly reason: EndReason
  readonly at: Instant
  /** `user:alice`; absent: Tidegate itself. */
  readonly by?: string
  /** For people: what was typed, or which fact. */
  readonly note?: string
}

export type GrantEvent =
  | { readonly type: 'grant.ready'; readonly at: Instant }
  /** Back to where the holder may activate it: the clock has not started after all. */
  | { readonly type: 'grant.waiting'; readonly at: Instant }
  | { readonly type: 'grant.opening'; readonly at: Instant; readonly expiresAt: Instant; readonly duration: Millis }
  | { readonly type: 'grant.opened'; readonly at: Instant }
  | { readonly type: 'grant.reissued'; readonly at: Instant }
  | { readonly type: 'grant.open-failed'; readonly at: Instant; readonly cause: string; readonly leftNothing: boolean }
  | { readonly type: 'grant.shortened'; readonly at: Instant; readonly expiresAt: Instant }
  | { readonly type: 'grant.obliged'; readonly at: Instant; readonly obligations: readonly Obligation[] }
  | {
      readonly type: 'grant.extended'
      readonly at: Instant
      readonly request: RequestId
      readonly duration: Millis
      readonly expiresAt: Instant
    }
  | { readonly type: 'grant.ending'; readonly at: Instant; readonly end: GrantEnd }
  | {
      readonly type: 'grant.ended'
      readonly at: Instant
      readonly end: GrantEnd
      /** Absent: nothing had been opened, so there was nothing to read back. */
      readonly closed?: { readonly sessionsEnded: number }
    }

/** The request that it rests on: with its duration, its ticket and its approvals the question is asked again. */
export const restsOn = ({ request, extension }: Pick<Grant, 'request' | 'extension'>): RequestId =>
  extension?.request ?? request

/** What the caller has to see to, after the state is committed. */
export type GrantEffect = 'open' | 'close'

export function evolveGrant(grant: Grant, event: GrantEvent): Grant {
  switch (event.type) {
    case 'grant.ready':
      return { ...grant, state: 'ready' }
    case 'grant.waiting': {
      const { activatedAt: _started, expiresAt: _ends, ...rest } = grant
      return { ...rest, state: 'ready' }
    }
    case 'grant.opening':
      return {
        ...grant,
        state: 'provisioning',
        duration: event.duration,
        activatedAt: event.at,
        expiresAt: event.expiresAt,
        attempt: grant.attempt + 1,
        unsureAttempts: grant.unsureAttempts + 1,
      }
    case 'grant.opened':
      return { ...grant, state: 'active', openedAt: event.at }
    case 'grant.reissued':
      return { ...grant, attempt: grant.attempt + 1 }
    case 'grant.open-failed':
      return event.leftNothing ? { ...grant, unsureAttempts: grant.unsureAttempts - 1 } : grant
    case 'grant.shortened':
      return { ...grant, expiresAt: event.expiresAt }
    case 'grant.obliged':
      return { ...grant, obligations: event.obligations }
    case 'grant.extended':
      return {
        ...grant,
        duration: event.duration,
        expiresAt: event.expiresAt,
        extension: { request: event.request, at: event.at },
      }
    case 'grant.ending':
      return { ...grant, state: 'ending', end: event.end }
    case 'grant.ended':
      return { ...grant, state: 'ended', end: event.end, endedAt: event.at }
  }
}
