/**
 * API tokens: `tdg_` and 256 random bits. Only SHA-256 of a token is kept: with that much randomness there is nothing
 * to guess, so nothing to slow down. Looked up by hash, so comparing takes no secret-dependent time.
 */

import { createHash } from 'node:crypto'
import type { Authentication, Instant } from '@tidegate/core'
import { parsePrincipalKey, principalKey } from '@tidegate/core'
import type { Configurations } from '../configuration/configurations.ts'
import type { Snapshot, TokenEntry } from '../configuration/snapshot.ts'
import type { Runtime } from '../runtime.ts'
import type { Database, Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import { together } from '../store/transaction.ts'
import { callerOf } from './caller.ts'
import type { GatewayCaller, Identity } from './identity.ts'
import type { FindPrincipals } from './principals.ts'
import { firstAdministrator } from './principals.ts'

/** The prefix says whose it is: `tdg_` of a principal, `tgw_` of a gateway that has signed in. */
const form = /^Bearer ((tdg|tgw)_[A-Za-z0-9_-]{43})$/

export const hashToken = (token: string): Buffer => createHash('sha256').update(token).digest()

export const makeToken = (random: Runtime['random']): string => `tdg_${Buffer.from(random(32)).toString('base64url')}`

export type TokenDeps = {
  readonly db: Database
  /** What gateways are looked up on. Absent: the same. */
  readonly gatewayDb?: Database
  readonly runtime: Runtime
  readonly configurations: Configurations
  readonly findPrincipals: FindPrincipals
}

export function createTokenIdentity({
  db,
  gatewayDb = db,
  runtime,
  configurations,
  findPrincipals,
}: TokenDeps): Identity {
  return {
    async authenticate({ headers }) {
      const [, token, prefix] = form.exec(headers.authorization ?? '') ?? []
      if (token === undefined) return undefined
      const hash = hashToken(token)
      if (prefix === 'tgw') {
        const gateway = await gatewayOf(gatewayDb, hash, runtime.now())
        return gateway && { caller: gateway }
      }
      const snapshot = await configurations.current(db)
      const entry = snapshot.tokens.get(hash.toString('hex')) ?? (await storedToken(db, snapshot, hash))
      const now = runtime.now()
      if (!entry || now >= entry.expires) return undefined
      const proof = { authentication: tokenAuthentication(now), expiresAt: entry.expires }
      const known = { ref: entry.principal, snapshot, now, proof }
      const caller = await together(db, (reader) => callerOf(findPrincipals, reader, known))
      return caller && { caller }
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

/** A token proves possession, now, and nothing stronger. */
export const tokenAuthentication = (at: Instant): Authentication => ({
  method: 'token',
  mfa: false,
  phishingResistant: false,
  at,
})
