/**
 * Who is calling. The rest of the server knows only this interface; how it is proved is behind it.
 */

import type { IncomingHttpHeaders } from 'node:http'
import type { Authentication, Instant, Principal } from '@tidegate/core'
import type { HeldRole } from '../administration/held.ts'

export type Caller = {
  readonly principal: Principal
  readonly authentication: Authentication
  /** What it has of Tidegate itself at this instant; the next three are read from it. */
  readonly administration: readonly HeldRole[]
  readonly administrator: boolean
  /** May plan and apply configuration. Administrators may too. */
  readonly policyAuthor: boolean
  /** May read everything. Administrators may too. */
  readonly auditor: boolean
  readonly expiresAt: Instant
  /** Id of the login that they came through. Absent: by a token. */
  readonly login?: string
}

export type GatewayRef = {
  readonly id: string
  /** Absent: every resource that has gateways. */
  readonly resources?: readonly string[]
  /** One that was put out and enrolled anew is another. */
  readonly enrolledAt: Instant
}

/** No principal: it holds nothing, asks for nothing, and may call only what is for gateways. */
export type GatewayCaller = {
  readonly gateway: GatewayRef
  /** As it is written down; not of each call. Absent: never. */
  readonly lastSeenAt?: Instant
}

export type Known = Caller | GatewayCaller

/** What a request says of whoever sent it. */
export type Presented = {
  readonly method: string
  /** Path and query, as they came. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

export type Recognised = {
  readonly caller: Known
  /** What the client is to hold from here on: a `Set-Cookie` of the answer. */
  readonly setCookie?: string
}

export type Identity = {
  /** `undefined` for what is missing, unknown, expired, revoked or not sent by our own pages, without saying which. */
  readonly authenticate: (presented: Presented) => Promise<Recognised | undefined>
}

/** What whoever is not known is told beside that: the headers of the answer. */
export type Challenge = (presented: Presented) => Readonly<Record<string, string>>
