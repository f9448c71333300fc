/**
 * API tokens: `tdg_` and 256 random bits. Only SHA-256 of a token is kept: with that much randomness there is nothing
 * to guess, so nothing to slow down. Looked up by hash, so comparing takes no secret-dependent time.
 */

import { createHash } from 'node:crypto'
import type { Authentication, Instant, Principal, PrincipalRef } from '@tidegate/core'
import { parsePrincipalKey, principalKey } from '@tidegate/core'
import type { Configurations } from '../configuration/configurations.ts'
import type { Snapshot, TokenEntry } from '../configuration/snapshot.ts'
import type { Runtime } from '../runtime.ts'
import type { Database, Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import type { Caller, GatewayCaller, Identity } from './identity.ts'

/** The prefix says whose it is: `tdg_` of a principal, `tgw_` of a gateway that has signed in. */
const form = /^Bearer ((tdg|tgw)_[A-Za-z0-9_-]{43})$/

export const hashToken = (token: string): Buffer => createHash('sha256').update(token).digest()

export const makeToken = (random: Runtime['random']): string => `tdg_${Buffer.from(random(32)).toString('base64url')}`

type Deps = {
  readonly db: Database
  /** What gateways are looked up on. Absent: the same. */
  readonly gatewayDb?: Database
  readonly runtime: Runtime
  readonly configurations: Configurations
}

export function createTokenIdentity({ db, gatewayDb = db, runtime, configurations }: Deps): Identity {
  return {
    async authenticate(authorization) {
      const [, token, prefix] = form.exec(authorization ?? '') ?? []
      if (token === undefined) return undefined
      const hash = hashToken(token)
      if (prefix === 'tgw') return gatewayOf(gatewayDb, hash, runtime.now())
      const snapshot = await configurations.current(db)
      const entry = snapshot.tokens.get(hash.toString('hex')) ?? (await storedToken(db, snapshot, hash))
      if (!entry || runtime.now() >= entry.expires) return undefined
      const principal = findPrincipal(snapshot, entry.principal)
      return principal && callerOf(principal, { snapshot, entry, now: runtime.now() })
    },
  }
}

/** Tokens of a gateway that was put out went with it. */
async function gatewayOf(db: Database, hash: Buffer, now: Instant): Promise<GatewayCaller | undefined> {
  const row = await db
    .selectFrom('gatewayToken')
    .innerJoin('gateway', 'gateway.id', 'gatewayToken.gateway')
    .select(['gateway.id', 'gateway.resources', 'gateway.enrolledAt', 'gateway.lastSeenAt'])
    .where('gatewayToken.hash', '=', hash)
    .where('gatewayToken.expiresAt', '>', boundInstant(now))
    .executeTakeFirst()
  if (!row || row.enrolledAt === null) return undefined
  const { id, resources, enrolledAt, lastSeenAt } = row
  const gateway = { id, enrolledAt, ...(resources !== null && { resources }) }
  return { gateway, ...(lastSeenAt !== null && { lastSeenAt }) }
}

async function storedToken(db: Database, snapshot: Snapshot, hash: Buffer): Promise<TokenEntry | undefined> {
  if (snapshot.declared.settings.firstAdministrator === 'retired') return undefined
  const row = await db
    .selectFrom('apiToken')
    .select(['principal', 'expiresAt'])
    .where('hash', '=', hash)
    .where('revokedAt', 'is', null)
    .executeTakeFirst()
  const principal = row && parsePrincipalKey(row.principal)
  return row && principal ? { principal, expires: row.expiresAt } : undefined
}

/** The first administrator exists before any configuration does, and in every one that does not declare that id. */
export const firstAdministrator: PrincipalRef = { kind: 'user', id: 'admin' }

/** The token of the first start is still good: not retired, revoked or expired. */
export async function firstTokenWorks(reader: Reader, snapshot: Snapshot, now: Instant): Promise<boolean> {
  if (snapshot.declared.settings.firstAdministrator === 'retired') return false
  const row = await reader
    .selectFrom('apiToken')
    .select('id')
    .where('principal', '=', principalKey(firstAdministrator))
    .where('revokedAt', 'is', null)
    .where('expiresAt', '>', boundInstant(now))
    .executeTakeFirst()
  return row !== undefined
}

export const isAdministrator = (principal: Principal, snapshot: Snapshot): boolean =>
  principal.kind === 'user' && principal.groups.includes(snapshot.declared.settings.administrators)

export function findPrincipal(snapshot: Snapshot, ref: PrincipalRef): Principal | undefined {
  const declared = snapshot.principals.get(principalKey(ref))
  if (declared || principalKey(ref) !== principalKey(firstAdministrator)) return declared
  return { kind: 'user', id: firstAdministrator.id, groups: [snapshot.declared.settings.administrators] }
}

/** A token proves possession, now, and nothing stronger. */
export const tokenAuthentication = (at: Instant): Authentication => ({
  method: 'token',
  mfa: false,
  phishingResistant: false,
  at,
})

type Proof = { readonly snapshot: Snapshot; readonly entry: TokenEntry; readonly now: Instant }

function callerOf(principal: Principal, { snapshot, entry, now }: Proof): Caller {
  const { auditors } = snapshot.declared.settings
  const administrator = isAdministrator(principal, snapshot)
  const reader = principal.kind === 'user' && auditors !== undefined && principal.groups.includes(auditors)
  return {
    principal,
    authentication: tokenAuthentication(now),
    administrator,
    auditor: administrator || reader,
    expiresAt: entry.expires,
  }
}
