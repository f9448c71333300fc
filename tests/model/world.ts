/**
 * What there is in the model: the store's row, the target, the servers' work under way, the holder, and the clocks.
 * A world is a value; what may happen in it stands in `activation.ts`, `closing.ts` and `surroundings.ts`.
 */

import type { AccessRequest, Grant, Instant, Millis } from '@tidegate/core'
import { instant } from '@tidegate/core'

/** How far the exploration goes. Times are in ticks: core only compares instants, so a tick is any length. */
export type Bounds = {
  /** How often the holder activates at most. */
  readonly attempts: number
  /** Whether the holder may have it extended, once. */
  readonly extends: boolean
  /** Pieces of work under way at once, over all servers. */
  readonly workers: number
  readonly duration: number
  /** What policy gives once it gives less. */
  readonly lessDuration: number
  readonly activateBy: number
  readonly provisioningTimeout: number
  /** The clock stops here: past every deadline by every clock, nothing more can change by waiting. */
  readonly horizon: number
  /** How far a server's clock is behind at most; each transaction reads one that is, or is not. */
  readonly serverLag: number
  /** What the target's clock shows beside the true one. */
  readonly targetOffsets: readonly number[]
}

/** The target's login of the grant. */
export type Login = {
  /** The attempt that made the secret. */
  readonly secret: number
  readonly until: number
  readonly shut: boolean
  /** How it came to be there after the target was read back; absent: it came before. */
  readonly late?: LateCause
}

/** The opener was lost, and its statement arrived after all; or it lives, with or without the grant's lock. */
export type LateCause = 'opener lost' | 'opener slow' | 'opener without lock'

/** An opening that was begun by `attempt`, with the end that its lease says. */
export type Lease = { readonly attempt: number; readonly until: number }

export type Opening = Lease & { readonly task: 'open' } & (
    | { readonly at: 'begun' | 'sent' | 'handing' }
    | { readonly at: 'answered'; readonly answer: 'opened' | 'not done' | 'unsure' }
  )

/** `at`: what is next. */
export type Closing = {
  readonly task: 'close'
  readonly by: 'reconciler' | 'tend'
  /** When the reconciler found that the grant ends by time alone; it says so with what becomes of the close. */
  readonly foundEnding?: Instant
} & (
  | { readonly at: 'shut' | 'end sessions' | 'drop' | 'read back' }
  | {
      readonly at: 'record'
      /** The target was read, and nothing was there. */
      readonly sawNothing: boolean
    }
)

/** Between its two reads. */
export type Tending = { readonly task: 'tend'; readonly at: 'target was read' | 'store was read' }

/** Someone tells the target when the grant ends now: `until`, as it read that under the grant's lock. */
export type Telling = { readonly task: 'tell' } & (
  | { readonly at: 'begun' }
  | { readonly at: 'sent'; readonly until: number }
)

/** The reconciler's transaction was lost, and its server lives: it will put the row off. */
export type SettingAside = { readonly task: 'set aside' }

export type Work = Opening | Closing | Tending | Telling | SettingAside

export type World = {
  /** True time; a server may be behind. */
  readonly clock: number
  readonly targetOffset: number
  /** The resource's `whenUnreachable` is `wait`. */
  readonly waits: boolean
  readonly grant: Grant
  readonly dueAt: Instant | undefined
  readonly request: AccessRequest
  /** Counted only where a planted bug counts them: how long the product waits has no part here. */
  readonly closeFailures: number
  readonly login: Login | undefined
  /** The holder has a session on the target. */
  readonly session: boolean
  /** Statements of lost openers, which may still arrive. */
  readonly inFlight: readonly Lease[]
  /** Attempts whose secret the holder was told. */
  readonly known: readonly number[]
  readonly work: readonly Work[]
}

export const ticks = (n: number): Millis => n as Millis

export const targetClock = (world: World): number => world.clock + world.targetOffset

/** The row's lock. Work that takes and releases it within one transaction without waiting for a target is one step. */
export const rowIsFree = (world: World): boolean =>
  !world.work.some((work) => work.task === 'close' && work.by === 'reconciler')

/** The grant's advisory lock, which is held for as long as the target is worked on. */
export const lockIsFree = (world: World): boolean =>
  !world.work.some(
    (work) =>
      work.task === 'close' ||
      (work.task === 'open' && (work.at === 'sent' || work.at === 'answered')) ||
      (work.task === 'tell' && work.at === 'sent'),
  )

/** The holder has what the target takes. */
export const usable = (world: World): boolean =>
  world.login !== undefined &&
  !world.login.shut &&
  world.known.includes(world.login.secret) &&
  targetClock(world) < world.login.until

/** Ended, never to be looked at again, and nothing of it anywhere or on its way. */
export const isClean = ({ grant, login, session, inFlight, work, dueAt }: World): boolean =>
  grant.state === 'ended' &&
  login === undefined &&
  !session &&
  inFlight.length === 0 &&
  work.length === 0 &&
  dueAt === undefined

export function beginnings(bounds: Bounds): World[] {
  const worlds: World[] = []
  for (const targetOffset of bounds.targetOffsets)
    for (const waits of [true, false])
      for (const scheduled of [false, true]) worlds.push(beginning(bounds, { targetOffset, waits, scheduled }))
  return worlds
}

type Kind = { readonly targetOffset: number; readonly waits: boolean; readonly scheduled: boolean }

function beginning(bounds: Bounds, { targetOffset, waits, scheduled }: Kind): World {
  const common = {
    principal: { kind: 'user', id: 'alice' },
    resource: 'orders-db',
    role: 'readonly',
    duration: ticks(bounds.duration),
  } as const
  const startAt = scheduled ? { startAt: instant(1) } : {}
  const grant: Grant = {
    ...common,
    ...startAt,
    id: 'grt_1',
    request: 'req_1',
    state: scheduled ? 'scheduled' : 'ready',
    activateBy: instant(bounds.activateBy),
    attempt: 0,
    unsureAttempts: 0,
    obligations: [],
  }
  const request: AccessRequest = {
    ...common,
    id: 'req_1',
    grant: 'grt_1',
    reason: 'a look at the orders',
    status: 'approved',
    version: 1,
    decision: 'dec_1',
    filedAt: instant(0),
    pendingUntil: instant(1),
    settledAt: instant(0),
  }
  return {
    clock: 0,
    targetOffset,
    waits,
    grant,
    dueAt: grant.startAt ?? grant.activateBy,
    request,
    closeFailures: 0,
    login: undefined,
    session: false,
    inFlight: [],
    known: [],
    work: [],
  }
}

const stateLetters = { scheduled: 's', ready: 'r', provisioning: 'p', active: 'a', ending: 'e', ended: 'E' } as const

/**
 * Two worlds with the same key have the same future. Left out is what nothing reads any more: a deadline that is over
 * for every clock, the times of a grant that has ended, which of two servers does a piece of work.
 */
export function keyOf(world: World, { serverLag }: Bounds): string {
  const { clock, targetOffset, waits, grant, dueAt, request, closeFailures, login, session } = world
  const due = dueAt === undefined ? '-' : dueAt <= clock - serverLag ? '!' : dueAt
  const over = grant.state === 'ending' || grant.state === 'ended'
  const times = over
    ? grant.end?.reason === 'open-failed'
    : `${grant.attempt},${grant.unsureAttempts},${grant.duration},${grant.activatedAt ?? ''},${grant.expiresAt ?? ''},${grant.extension?.at ?? ''}`
  const row = `${stateLetters[grant.state]}${due};${times};${request.status === 'failed' ? 'f' : ''}${closeFailures}`
  const onTarget = login ? `${login.secret},${login.until},${login.shut ? 'x' : ''}${login.late ?? ''}` : ''
  return `${clock}${targetOffset}${waits ? 'w' : 'g'}${row}|${onTarget}${session ? '+' : ''}|${keyOfRest(world)}`
}

function keyOfRest({ inFlight, known, work }: World): string {
  let key = ''
  for (const { attempt, until } of inFlight) key += `${attempt}>${until} `
  key += '|'
  for (const attempt of known) key += attempt
  key += '|'
  for (const one of sorted(work.map(keyOfWork))) key += one
  return key
}

const keyOfWork = (work: Work): string => {
  if (work.task === 'set aside') return 'a;'
  if (work.task === 'tell') return work.at === 'sent' ? `m${work.until};` : 'm;'
  if (work.task === 'tend') return work.at === 'target was read' ? 't;' : 'T;'
  if (work.task === 'close') return `c${work.by === 'tend' ? 't' : 'r'}${work.foundEnding ?? ''}${work.at};`
  return `o${work.attempt},${work.until}${work.at === 'answered' ? work.answer : work.at};`
}

const sorted = (keys: string[]): string[] => (keys.length > 1 ? keys.toSorted() : keys)
