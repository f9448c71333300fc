/**
 * Who is calling. The rest of the server knows only this interface; how it is proved is behind it.
 */

import type { Authentication, Instant, Principal } from '@tidegate/core'

export type Caller = {
  readonly principal: Principal
  readonly authentication: Authentication
  readonly administrator: boolean
  /** May read everything. Administrators may too. */
  readonly auditor: boolean
  readonly expiresAt: Instant
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

export type Identity = {
  /** The caller behind an `Authorization` header; `undefined` for one that is missing, unknown, expired or revoked, without saying which. */
  readonly authenticate: (authorization: string | undefined) => Promise<Known | undefined>
}
