/** What a PostgreSQL gateway needs of the rest, and what it gives to it. */

import type { GrantId, Instant } from '@tidegate/core'
import type { Guard } from '../../guard/ruling.ts'
import type { Mask } from '../../mask/mask.ts'
import type { SessionRecorder } from '../../recording/event.ts'
import type { Share } from '../../share.ts'
import type { Answer, Caps, Question } from '../session/state.ts'
import type { Clock } from './clock.ts'
import type { Siblings } from './registry.ts'

/** Who says who may come in, and to what. Either may reject: then nobody does. */
export type Authority = {
  /**
   * The verifier of the password that this user has for this database, as PostgreSQL stores them
   * (`SCRAM-SHA-256$…`). `undefined`: not known, which the client is not told apart from a wrong password.
   */
  readonly lookup: (login: Login) => Promise<string | undefined>
  /**
   * For a password that did not fit: the verifier once word of a newer one is here, or the same. One with the same salt
   * is tried. Absent: there are never newer ones.
   */
  readonly renewed?: (login: Login) => Promise<string | undefined>
  /**
   * Where this login would lead: a guess that admits nobody, and tells no one of a session. Absent, or `undefined`:
   * nothing is opened before the password was right.
   */
  readonly foresee?: (login: Login) => Foreseen | undefined
  /** Asked once the password was right. */
  readonly admit: (login: Login, client: ClientFacts) => Promise<Admission | Turned>
}

export type Login = { readonly user: string; readonly database: string }

export type ClientFacts = {
  readonly address: string
  readonly port: number
  readonly tls: boolean
  /** Says what it likes. */
  readonly applicationName: string
}

export type Turned = { readonly outcome: 'turned-away'; readonly reason: string }

export type Admission = {
  readonly outcome: 'admitted'
  /** Of the session that comes of it. */
  readonly session: string
  readonly grant: GrantId
  /** As it is displayed: `user:alice`. */
  readonly principal: string
  readonly target: TargetLogin
  /** When the session ends, unless it is moved. */
  readonly deadline: Instant
  /** The client is told so long before. */
  readonly warnBeforeMs: number
  /** Absent: nothing is judged. */
  readonly guard?: Guard
  /** Absent: results are shown as they are. */
  readonly mask?: Mask
  /** Of one statement. Absent: a statement may return and change what it likes. */
  readonly caps?: Caps
  /** The session ends it, also when it does not come to one. */
  readonly recorder: SessionRecorder
  readonly whenRecorderFails: 'end' | 'go-on'
  /** Absent: what needs an approver is refused. */
  readonly approve?: Approve
}

export type Foreseen = Pick<Admission, 'grant' | 'principal' | 'deadline'> & {
  /** Nobody has knocked with this grant before, which is said once: it needs no proof of a moment ago. */
  readonly isFirst: boolean
  /** May have to be asked for, and never rejects. `undefined`: it cannot be foreseen after all. */
  readonly target: Promise<TargetLogin | undefined>
  /** Aborted when it holds no longer. */
  readonly over: AbortSignal
}

export type TargetLogin = {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  /** The password. */
  readonly secret: string
  readonly tls: 'disable' | 'verify-full'
  /** PEM. Absent: the authorities that Node trusts. */
  readonly ca?: string
  /** Settings that the session begins with, over whatever the client said. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** Asks people about one statement. A rejection is a no. */
export type Approve = (
  statement: Omit<Question, 'settle'>,
  /** Aborted, with a `GivenUp` as its reason, when nobody waits for the answer any more. A yes after it does nothing. */
  signal: AbortSignal,
) => Promise<Answer>

/** Its client gave it up, or its session is over. */
export type GivenUp = 'cancelled' | 'session-ended'

/** Why a session ends, for the client: `access was revoked by user:bob`. */
export type Reason = string

export type PostgresSession = {
  readonly id: string
  readonly grant: GrantId
  readonly principal: string
  readonly login: Login
  readonly client: ClientFacts
  readonly startedAt: Instant
  readonly deadline: () => Instant
  /** Earlier or later. One that is over ends the session. */
  readonly setDeadline: (at: Instant) => void
  /** Tells the client why, and closes both sides. Resolves when both are closed and the recording is written. */
  readonly end: (reason: Reason) => Promise<void>
  /** Resolves when it is over, however that came, with why, for people. */
  readonly closed: Promise<Reason>
}

export type GatewayPorts = {
  readonly authority: Authority
  readonly clock: Clock
  readonly random: (count: number) => Uint8Array
  /** Told of each session as it opens. */
  readonly opened?: (session: PostgresSession) => void
  /** What someone who runs the gateway may want to know. Never has a secret in it. */
  readonly log?: (event: string, facts: Readonly<Record<string, unknown>>) => void
}

export type GatewaySettings = {
  readonly host: string
  /** Zero: a free one. */
  readonly port: number
  /** PEM. Absent: clients cannot use TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Whose connections may go without TLS. */
  readonly plain: 'nobody' | 'loopback' | 'everybody'
  /** At least 32 bytes, the same over restarts: makes unknown users look like known ones. */
  readonly mockSecret: Uint8Array
  readonly limits?: Partial<SessionLimits>
  /** Others that do the same: connections are handed to it then, and it does not listen. */
  readonly siblings?: Siblings
}

export type SessionLimits = {
  /** From accepting a connection to its session being open, the target's part included. */
  readonly handshakeMs: number
  /** Connections that are not sessions yet. Beyond it, the one that got least far in the longest time makes room. */
  readonly handshakes: number
  readonly handshakesPerAddress: number
  readonly sessions: number
  readonly sessionsPerGrant: number
  readonly sessionsPerPrincipal: number
}

/** Each worker has its share of what is counted, so that of all together there is no more. */
export function limitsOf({ of }: Share): SessionLimits {
  const shared = (count: number): number => Math.ceil(count / of)
  const { handshakeMs, handshakes, handshakesPerAddress, sessions, sessionsPerGrant, sessionsPerPrincipal } =
    sessionLimits
  return {
    handshakeMs,
    handshakes: shared(handshakes),
    handshakesPerAddress: shared(handshakesPerAddress),
    sessions: shared(sessions),
    sessionsPerGrant: shared(sessionsPerGrant),
    sessionsPerPrincipal: shared(sessionsPerPrincipal),
  }
}

export const sessionLimits: SessionLimits = {
  handshakeMs: 15_000,
  handshakes: 512,
  handshakesPerAddress: 64,
  sessions: 10_000,
  sessionsPerGrant: 100,
  sessionsPerPrincipal: 200,
}
