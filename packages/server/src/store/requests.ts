/** Requests, approvals and decisions in the store. */

import type {
  AccessRequest,
  Approval,
  ApprovalId,
  Authentication,
  Decision,
  DecisionId,
  GrantId,
  Instant,
  Millis,
  Question,
  RequestId,
  RequestStatus,
  Verdict,
} from '@tidegate/core'
import { parsePrincipalKey, principalKey } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { Reader, Tables, Tx } from './database.ts'
import { boundInstant, instantParam, maybeInstantParam } from './database.ts'

export function requestFromRow(row: Selectable<Tables['accessRequest']>): AccessRequest {
  const principal = parsePrincipalKey(row.principal)
  if (!principal) throw new Error(`Request ${row.id} has the principal ${row.principal}, which is none.`)
  return {
    id: row.id as RequestId,
    principal,
    resource: row.resource,
    role: row.role,
    duration: row.durationMs as Millis,
    reason: row.reason,
    status: row.status as RequestStatus,
    version: row.version,
    decision: row.decision as DecisionId,
    filedAt: row.filedAt,
    pendingUntil: row.pendingUntil,
    ...(row.action !== null && { action: row.action }),
    ...(row.ticket !== null && { ticket: row.ticket }),
    ...(row.task !== null && { task: row.task }),
    ...(row.startAt !== null && { startAt: row.startAt }),
    ...(row.authentication !== null && { authentication: row.authentication as Authentication }),
    ...(row.settledAt !== null && { settledAt: row.settledAt }),
    ...(row.extends !== null && { extends: row.extends as GrantId }),
    ...(row.grantId !== null && { grant: row.grantId as GrantId }),
  }
}

export async function insertRequest(tx: Tx, request: AccessRequest): Promise<void> {
  await tx
    .insertInto('accessRequest')
    .values({
      id: request.id,
      principal: principalKey(request.principal),
      resource: request.resource,
      role: request.role,
      durationMs: request.duration,
      reason: request.reason,
      action: request.action ?? null,
      ticket: request.ticket ?? null,
      task: request.task ?? null,
      startAt: maybeInstantParam(request.startAt),
      status: request.status,
      version: request.version,
      decision: request.decision,
      filedAt: instantParam(request.filedAt),
      authentication: request.authentication === undefined ? null : JSON.stringify(request.authentication),
      pendingUntil: instantParam(request.pendingUntil),
      settledAt: maybeInstantParam(request.settledAt),
      extends: request.extends ?? null,
      grantId: request.grant ?? null,
    })
    .execute()
}

/** Saves the next version. @throws when another version was saved meanwhile: the row was not locked */
export async function updateRequest(tx: Tx, request: AccessRequest): Promise<AccessRequest> {
  const next = { ...request, version: request.version + 1 }
  const { numUpdatedRows } = await tx
    .updateTable('accessRequest')
    .set({
      status: next.status,
      version: next.version,
      decision: next.decision,
      settledAt: maybeInstantParam(next.settledAt),
      grantId: next.grant ?? null,
    })
    .where('id', '=', next.id)
    .where('version', '=', request.version)
    .executeTakeFirst()
  if (numUpdatedRows !== 1n) throw new Error(`Request ${next.id} was changed by someone else meanwhile.`)
  return next
}

export async function lockRequest(tx: Tx, id: string): Promise<AccessRequest | undefined> {
  const row = await tx.selectFrom('accessRequest').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  return row && requestFromRow(row)
}

export async function findRequest(reader: Reader, id: string): Promise<AccessRequest | undefined> {
  const row = await reader.selectFrom('accessRequest').selectAll().where('id', '=', id).executeTakeFirst()
  return row && requestFromRow(row)
}

export async function findRequests(reader: Reader, ids: readonly string[]): Promise<AccessRequest[]> {
  if (ids.length === 0) return []
  return (await reader.selectFrom('accessRequest').selectAll().where('id', 'in', ids).execute()).map(requestFromRow)
}

export async function pendingRequests(reader: Reader): Promise<AccessRequest[]> {
  const rows = await reader
    .selectFrom('accessRequest')
    .selectAll()
    .where('status', '=', 'pending')
    .orderBy('id')
    .execute()
  return rows.map(requestFromRow)
}

/** The request that the grant rests on: the one it came from, or the latest that extended it. */
export async function findRequestOfGrant(reader: Reader, grant: string): Promise<AccessRequest | undefined> {
  const row = await reader.selectFrom('accessRequest').selectAll().where('id', '=', requestOf(grant)).executeTakeFirst()
  return row && requestFromRow(row)
}

const requestOf = (grant: string) =>
  sql<string>`(select coalesce(extension, request) from access_grant where id = ${grant})`

/** Those that nobody has answered, and that ask for this grant to end later. Locks them. */
export async function pendingExtensions(tx: Tx, grant: string): Promise<AccessRequest[]> {
  const rows = await tx
    .selectFrom('accessRequest')
    .selectAll()
    .where('extends', '=', grant)
    .where('status', '=', 'pending')
    .orderBy('id')
    .forUpdate()
    .execute()
  return rows.map(requestFromRow)
}

export async function insertApproval(tx: Tx, approval: Approval): Promise<void> {
  await tx
    .insertInto('approval')
    .values({
      id: approval.id,
      request: approval.request,
      approver: approval.approver,
      verdict: approval.verdict,
      asSpecs: [...approval.as],
      comment: approval.comment ?? null,
      at: instantParam(approval.at),
    })
    .execute()
}

/** Oldest first: the order in which they count. */
export async function approvalsOfRequests(reader: Reader, ids: readonly string[]): Promise<Approval[]> {
  if (ids.length === 0) return []
  const rows = await reader.selectFrom('approval').selectAll().where('request', 'in', ids).orderBy('serial').execute()
  return rows.map(approvalFromRow)
}

/** Likewise, of the request that the grant rests on. */
export async function approvalsOfGrant(reader: Reader, grant: string): Promise<Approval[]> {
  const rows = await reader
    .selectFrom('approval')
    .selectAll()
    .where('request', '=', requestOf(grant))
    .orderBy('serial')
    .execute()
  return rows.map(approvalFromRow)
}

const approvalFromRow = (row: Selectable<Tables['approval']>): Approval => ({
  id: row.id as ApprovalId,
  request: row.request as RequestId,
  approver: row.approver,
  verdict: row.verdict as Verdict,
  as: row.asSpecs,
  at: row.at,
  ...(row.comment !== null && { comment: row.comment }),
})

export async function insertDecision(tx: Tx, question: Question, answer: Decision): Promise<void> {
  await tx
    .insertInto('decision')
    .values({
      id: answer.id,
      at: instantParam(question.now),
      policyVersion: answer.policyVersion,
      outcome: answer.outcome,
      question: JSON.stringify(question),
      answer: JSON.stringify(answer),
    })
    .execute()
}

export async function findDecisions(reader: Reader, ids: readonly string[]): Promise<Map<string, Decision>> {
  if (ids.length === 0) return new Map()
  const rows = await reader.selectFrom('decision').select(['id', 'answer']).where('id', 'in', ids).execute()
  return new Map(rows.map(({ id, answer }) => [id, answer as Decision]))
}

/** Ids of pending requests whose time to be answered is over. */
export async function overdueRequests(tx: Tx, now: Instant, limit: number): Promise<AccessRequest[]> {
  const rows = await tx
    .selectFrom('accessRequest')
    .selectAll()
    .where('status', '=', 'pending')
    .where('pendingUntil', '<=', boundInstant(now))
    .orderBy('pendingUntil')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute()
  return rows.map(requestFromRow)
}

/** Most looks find none: one read, without the transaction that changing them takes. */
export async function hasOverdueRequests(reader: Reader, now: Instant): Promise<boolean> {
  const row = await reader
    .selectFrom('accessRequest')
    .select('id')
    .where('status', '=', 'pending')
    .where('pendingUntil', '<=', boundInstant(now))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
