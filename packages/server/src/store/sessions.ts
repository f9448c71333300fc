/** Sessions in the store: rows to values and back. */

import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { GrantId } from '@tidegate/core'
import type { Head, KnownSession, Leased, Refusals, Used } from '../gateways/reports.ts'
import type { Reader, Tables, Tx } from './database.ts'
import { instantParam, maybeInstantParam } from './database.ts'

/** With what it needs of its grant. */
export type SessionRow = Selectable<Tables['accessSession']> & { principal: string; resource: string; role: string }

/** Sessions, to be narrowed and read. */
export const selectSessions = (reader: Reader) =>
  reader
    .selectFrom('accessSession')
    .innerJoin('accessGrant', 'accessGrant.id', 'accessSession.grantId')
    .selectAll('accessSession')
    .select(['accessGrant.principal', 'accessGrant.resource', 'accessGrant.role'])

export function sessionFromRow(row: SessionRow): KnownSession {
  const { clientAddress: address, clientPort: port, clientTls: tls, clientApplication: application } = row
  return {
    id: row.id,
    gateway: row.gateway,
    grant: { id: row.grantId as GrantId, principal: row.principal, resource: row.resource, role: row.role },
    startedAt: row.startedAt,
    database: row.database,
    client: { address, port, tls, application },
    ...(row.head !== null && { head: row.head as Head }),
    ...(row.refusals !== null && { refusals: row.refusals as Record<string, Refusals> }),
    ...(row.endedAt !== null && { end: endFromRow(row, row.endedAt) }),
    ...(row.forgetAskedAt !== null && { deletion: deletionFromRow(row, row.forgetAskedAt) }),
  }
}

const endFromRow = (
  { endReason, lost, statements, refused, used }: SessionRow,
  at: NonNullable<SessionRow['endedAt']>,
): NonNullable<KnownSession['end']> => ({
  at,
  reason: endReason ?? '',
  lost,
  ...(statements !== null &&
    refused !== null && { told: { statements, refused, ...(used !== null && { used: used as Used }) } }),
})

const deletionFromRow = (
  { forgetBy, forgetReason, forgottenAt, forgottenDigest }: SessionRow,
  askedAt: NonNullable<SessionRow['forgetAskedAt']>,
): NonNullable<KnownSession['deletion']> => ({
  askedAt,
  by: forgetBy ?? '',
  reason: forgetReason ?? '',
  ...(forgottenAt !== null && forgottenDigest !== null && { done: { at: forgottenAt, digest: forgottenDigest } }),
})

/** Locked until the transaction ends, in one order for all who lock several. */
export async function lockSessions(tx: Tx, ids: readonly string[]): Promise<Map<string, KnownSession>> {
  const rows = await selectSessions(tx)
    .where('accessSession.id', 'in', ids)
    .orderBy('accessSession.id')
    .forUpdate('accessSession')
    .execute()
  return new Map(rows.map((row) => [row.id, sessionFromRow(row)]))
}

/** Those of these grants that were ever open, on resources that a gateway serves. Absent: it serves all. */
export async function leasedGrants(
  tx: Tx,
  { ids, resources }: { readonly ids: readonly string[]; readonly resources: readonly string[] | undefined },
): Promise<Map<string, Leased>> {
  if (ids.length === 0) return new Map()
  let query = tx
    .selectFrom('accessGrant')
    .select(['id', 'principal', 'resource', 'role'])
    .where('id', 'in', ids)
    .where('openedAt', 'is not', null)
  if (resources) query = query.where('resource', 'in', resources)
  return new Map((await query.execute()).map((row) => [row.id, { ...row, id: row.id as GrantId }]))
}

/** Answers how many were new: one that another gateway has told at the same moment is not. */
export async function insertSessions(tx: Tx, sessions: readonly KnownSession[]): Promise<number> {
  if (sessions.length === 0) return 0
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('accessSession')
    .values(sessions.map(rowOf))
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirstOrThrow()
  return Number(numInsertedOrUpdatedRows)
}

const rowOf = ({ id, grant, gateway, database, client, startedAt, ...rest }: KnownSession) => ({
  id,
  grantId: grant.id,
  gateway,
  database,
  clientAddress: client.address,
  clientPort: client.port,
  clientTls: client.tls,
  clientApplication: client.application,
  startedAt: instantParam(startedAt),
  killReason: null,
  ...toldColumns(rest),
})

const toldColumns = ({
  head,
  refusals,
  end,
  deletion,
}: Pick<KnownSession, 'head' | 'refusals' | 'end' | 'deletion'>) => ({
  head: head ? JSON.stringify(head) : null,
  refusals: refusals ? JSON.stringify(refusals) : null,
  endedAt: maybeInstantParam(end?.at),
  endReason: end?.reason ?? null,
  lost: end?.lost ?? false,
  statements: end?.told?.statements ?? null,
  refused: end?.told?.refused ?? null,
  used: end?.told?.used ? JSON.stringify(end.told.used) : null,
  forgottenAt: maybeInstantParam(deletion?.done?.at),
  forgottenDigest: deletion?.done?.digest ?? null,
})

export async function updateSession(tx: Tx, { id, ...rest }: KnownSession): Promise<void> {
  await tx.updateTable('accessSession').set(toldColumns(rest)).where('id', '=', id).execute()
}

const reportLocks = 7_243_008

/** Reports of one gateway come one batch at a time: what two at once say of one session is told once. */
export const lockReportsOf = async (tx: Tx, gateway: string): Promise<void> =>
  void (await sql`select pg_advisory_xact_lock(${reportLocks}, hashtext(${gateway}))`.execute(tx))
