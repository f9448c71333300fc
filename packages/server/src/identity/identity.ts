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

export type Identity = {
  /** The caller behind an `Authorization` header; `undefined` for one that is missing, unknown, expired or revoked, without saying which. */
  readonly authenticate: (authorization: string | undefined) => Promise<Caller | undefined>
}
