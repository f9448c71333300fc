/** What the feed reads of the store. Nothing secret is in it: a verifier checks a password and does not tell it. */

import type { Output } from '@tidegate/api'
import { gatewayLimits } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { formatInstant, roleKey } from '@tidegate/core'
import { sql } from 'kysely'
import type { Database } from '../store/database.ts'
import { endWords } from './end-words.ts'

export type News = Output<'syncGateway'>
export type GatewayGrant = News['grants'][number]
export type Kill = News['kill'][number] & { readonly gateway: string }

/** Told, or over: with the words to tell it in. */
export type Standing = { readonly grant: GatewayGrant; readonly mark: string } | { readonly ended: string }

/**
 * By grant, what changes when there is something to tell. The tail of a verifier is enough to tell one from another,
 * and 5,000 of them are read in some milliseconds.
 */
export async function readMarks(db: Database): Promise<Map<string, string>> {
  const { rows } = await sql<{ id: string; mark: string }>`
    select id, ${mark} as mark from access_grant where login_verifier is not null`.execute(db)
  return new Map(rows.map(({ id, mark: text }) => [id, text]))
}

const mark = sql`right(login_verifier, 20) || ' ' || extract(epoch from expires_at)`

type Row = {
  id: string
  mark: string | null
  principal: string
  resource: string
  role: string
  expiresAt: Instant
  loginVerifier: string | null
  loginDatabases: string[] | null
  endReason: string | null
  endBy: string | null
}

export async function readStandings(db: Database, ids: readonly string[]): Promise<Map<string, Standing>> {
  const { rows } = await sql<Row>`
    select id, ${mark} as mark, principal, resource, role, expires_at, login_verifier, login_databases, end_reason, end_by
    from access_grant where id = any (${ids}::text[])`.execute(db)
  return new Map(rows.map((row) => [row.id, standingOf(row)]))
}

function standingOf(row: Row): Standing {
  const { loginVerifier: verifier, loginDatabases: databases } = row
  if (verifier === null || databases === null || row.mark === null) return { ended: endWords(row.endReason, row.endBy) }
  const { id, resource, role, principal, expiresAt } = row
  return {
    mark: row.mark,
    grant: {
      grant: id,
      resource,
      role: roleKey({ resource, name: role }),
      principal,
      databases,
      verifier,
      expiresAt: formatInstant(expiresAt),
      warnBeforeSeconds: gatewayLimits.warnBeforeSeconds,
    },
  }
}

/** Sessions that are to end and have not, as far as their gateway has said. Few at any time. */
export async function readKills(db: Database): Promise<Map<string, Kill>> {
  const rows = await db
    .selectFrom('accessSession')
    .select(['id', 'gateway', 'killReason'])
    .where('killAskedAt', 'is not', null)
    .where('endedAt', 'is', null)
    .execute()
  return new Map(rows.map(({ id, gateway, killReason }) => [id, { session: id, gateway, reason: killReason ?? '' }]))
}

/** When each that is enrolled was: one that was put out and enrolled anew is another. */
export async function readEnrolments(db: Database): Promise<Map<string, Instant>> {
  const rows = await db.selectFrom('gateway').select(['id', 'enrolledAt']).where('enrolledAt', 'is not', null).execute()
  return new Map(rows.flatMap(({ id, enrolledAt }) => (enrolledAt === null ? [] : [[id, enrolledAt] as const])))
}
