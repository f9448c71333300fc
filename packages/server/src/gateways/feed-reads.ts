/** What the feed reads of the store. Nothing secret is in it: a verifier checks a password and does not tell it. */

import type { Output } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import { formatInstant, roleKey } from '@tidegate/core'
import { sql } from 'kysely'
import type { Configurations } from '../configuration/configurations.ts'
import type { Database } from '../store/database.ts'
import { endWords } from './end-words.ts'
import type { Held } from './grant-rules.ts'
import { editionsIn } from './grant-rules.ts'

export type News = Output<'syncGateway'>
/** Without what is the same for all, and stands with the configuration in force. */
export type GatewayGrant = Omit<News['grants'][number], 'warnBeforeSeconds'>

/** Told, or over: with the words to tell it in. */
export type Standing = { readonly grant: GatewayGrant; readonly mark: string } | { readonly ended: string }

/** What is told rests on rows and on the configuration in force, whose version comes with the rows. */
export type Reading = { readonly db: Database; readonly configurations: Pick<Configurations, 'at'> }

const inForce = sql`(select coalesce(max(version), 0) from configuration_version) as version`

/**
 * By grant, what changes when there is something to tell. The tail of a verifier is enough to tell one from another,
 * and 5,000 of them are read in some milliseconds.
 */
export async function readMarks(reading: Reading): Promise<Map<string, string>> {
  const { rows } = await sql<Marked>`
    select id, resource, role, obligations, ${mark} as mark, ${inForce}
    from access_grant where login_verifier is not null`.execute(reading.db)
  const editionFor = await editionsFor(reading, rows)
  return new Map(
    rows.flatMap((row) => {
      const edition = editionFor(row)
      return edition === undefined ? [] : [[row.id, `${row.mark} ${edition}`] as const]
    }),
  )
}

const mark = sql`right(login_verifier, 20) || ' ' || extract(epoch from expires_at)`

type Marked = Held & { id: string; mark: string | null; version: number }

type Row = Marked & {
  principal: string
  expiresAt: Instant
  loginVerifier: string | null
  loginDatabases: string[] | null
  endReason: string | null
  endBy: string | null
}

async function editionsFor({ db, configurations }: Reading, [first]: readonly Marked[]) {
  return first ? editionsIn(await configurations.at(db, first.version)) : () => undefined
}

export async function readStandings(reading: Reading, ids: readonly string[]): Promise<Map<string, Standing>> {
  const { rows } = await sql<Row>`
    select id, ${mark} as mark, principal, resource, role, obligations, expires_at, login_verifier, login_databases,
      end_reason, end_by, ${inForce}
    from access_grant where id = any (${ids}::text[])`.execute(reading.db)
  const editionFor = await editionsFor(reading, rows)
  return new Map(rows.map((row) => [row.id, standingOf(row, editionFor(row))]))
}

function standingOf(row: Row, rules: string | undefined): Standing {
  const { loginVerifier: verifier, loginDatabases: databases } = row
  if (verifier === null || databases === null || row.mark === null) return { ended: endWords(row.endReason, row.endBy) }
  if (rules === undefined) return { ended: 'its role, or what its sessions are held to, is not there any more' }
  const { id, resource, role, principal, expiresAt } = row
  return {
    mark: `${row.mark} ${rules}`,
    grant: {
      grant: id,
      resource,
      role: roleKey({ resource, name: role }),
      principal,
      databases,
      verifier,
      expiresAt: formatInstant(expiresAt),
      rules,
    },
  }
}

/** When each that is enrolled was: one that was put out and enrolled anew is another. */
export async function readEnrolments(db: Database): Promise<Map<string, Instant>> {
  const rows = await db.selectFrom('gateway').select(['id', 'enrolledAt']).where('enrolledAt', 'is not', null).execute()
  return new Map(rows.flatMap(({ id, enrolledAt }) => (enrolledAt === null ? [] : [[id, enrolledAt] as const])))
}
