/** Grants in the store: rows to values and back, and the reads that need them. */

import type { Authentication, EndReason, Grant, GrantId, GrantState, Instant, Millis, RequestId } from '@tidegate/core'
import { parsePrincipalKey, principalKey } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { Reader, Tables, Tx } from './database.ts'
import { instantParam, maybeInstantParam } from './database.ts'

export type GrantRow = Selectable<Tables['accessGrant']>

/** A grant with what only the server needs to know of it. */
export type StoredGrant = Grant & {
  /** Version of the configuration it was last opened under. */
  readonly configuration?: number
  /** As it was when it was last activated. Absent: by a token, or never. */
  readonly authentication?: Authentication
  readonly closing: { readonly failures: number; readonly lastFailure?: string }
  /** It is open, and its holder was led to a gateway. */
  readonly byGateway: boolean
  /** What that checks its holder's password with. */
  readonly loginVerifier?: string
}

export function grantFromRow(row: GrantRow): StoredGrant {
  const principal = parsePrincipalKey(row.principal)
  if (!principal) throw new Error(`Grant ${row.id} has the principal ${row.principal}, which is none.`)
  return {
    id: row.id as GrantId,
    request: row.request as RequestId,
    principal,
    resource: row.resource,
    role: row.role,
    state: row.state as GrantState,
    duration: row.durationMs as Millis,
    activateBy: row.activateBy,
    attempt: row.attempt,
    unsureAttempts: row.unsureAttempts,
    obligations: row.obligations,
    ...(row.startAt !== null && { startAt: row.startAt }),
    ...(row.activatedAt !== null && { activatedAt: row.activatedAt }),
    ...(row.openedAt !== null && { openedAt: row.openedAt }),
    ...(row.expiresAt !== null && { expiresAt: row.expiresAt }),
    ...(row.extension !== null &&
      row.extendedAt !== null && { extension: { request: row.extension as RequestId, at: row.extendedAt } }),
    ...(row.endReason !== null && row.endAt !== null && { end: endFromRow(row, row.endAt) }),
    ...(row.endedAt !== null && { endedAt: row.endedAt }),
    ...(row.configuration !== null && { configuration: row.configuration }),
    ...(row.authentication !== null && { authentication: row.authentication as Authentication }),
    byGateway: row.loginVerifier !== null,
    ...(row.loginVerifier !== null && { loginVerifier: row.loginVerifier }),
    closing: { failures: row.closeFailures, ...(row.closeError !== null && { lastFailure: row.closeError }) },
  }
}

const endFromRow = (row: GrantRow, at: Instant): NonNullable<Grant['end']> => ({
  reason: row.endReason as EndReason,
  at,
  ...(row.endBy !== null && { by: row.endBy }),
  ...(row.endNote !== null && { note: row.endNote }),
})

const columns = (grant: Grant) => ({
  state: grant.state,
  durationMs: grant.duration,
  startAt: maybeInstantParam(grant.startAt),
  activateBy: instantParam(grant.activateBy),
  activatedAt: maybeInstantParam(grant.activatedAt),
  openedAt: maybeInstantParam(grant.openedAt),
  expiresAt: maybeInstantParam(grant.expiresAt),
  extension: grant.extension?.request ?? null,
  extendedAt: maybeInstantParam(grant.extension?.at),
  attempt: grant.attempt,
  unsureAttempts: grant.unsureAttempts,
  obligations: JSON.stringify(grant.obligations),
  endReason: grant.end?.reason ?? null,
  endAt: maybeInstantParam(grant.end?.at),
  endBy: grant.end?.by ?? null,
  endNote: grant.end?.note ?? null,
  endedAt: maybeInstantParam(grant.endedAt),
  // With the grant goes what a gateway opens its target with.
  ...(grant.state !== 'active' && { loginSealed: null, loginVerifier: null, loginDatabases: null }),
})

export async function insertGrant(tx: Tx, grant: Grant, dueAt: Instant): Promise<void> {
  await tx
    .insertInto('accessGrant')
    .values({
      id: grant.id,
      request: grant.request,
      principal: principalKey(grant.principal),
      resource: grant.resource,
      role: grant.role,
      ...columns(grant),
      configuration: null,
      authentication: null,
      login: null,
      closeError: null,
      dueAt: instantParam(dueAt),
    })
    .execute()
}

/** What holds from an activation on. */
export type Activating = {
  readonly configuration: number
  readonly authentication: Authentication
  /** Absent: by a token. */
  readonly login?: string
}

type Update = { readonly dueAt: Instant | undefined; readonly activating?: Activating | undefined }

export async function updateGrant(tx: Tx, grant: Grant, { dueAt, activating }: Update): Promise<void> {
  await tx
    .updateTable('accessGrant')
    .set({
      ...columns(grant),
      dueAt: maybeInstantParam(dueAt),
      ...(activating && activatingColumns(activating)),
    })
    .where('id', '=', grant.id)
    .execute()
}

const activatingColumns = ({ configuration, authentication, login }: Activating) => ({
  configuration,
  authentication: authentication.method === 'token' ? null : JSON.stringify(authentication),
  login: login ?? null,
})

export type GatewayLogin = {
  readonly sealed: Buffer
  readonly verifier: string
  readonly databases: readonly string[]
}

/** Of a grant that is active, until it is not. */
export async function keepLogin(tx: Tx, id: GrantId, { sealed, verifier, databases }: GatewayLogin): Promise<void> {
  await tx
    .updateTable('accessGrant')
    .set({ loginSealed: sealed, loginVerifier: verifier, loginDatabases: [...databases] })
    .where('id', '=', id)
    .execute()
}

/** Locks the row until the transaction ends. */
export async function lockGrant(tx: Tx, id: string): Promise<StoredGrant | undefined> {
  const row = await tx.selectFrom('accessGrant').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()
  return row && grantFromRow(row)
}

/** The grant that the request would extend; `undefined`: it asks for one of its own. */
export async function findExtended(reader: Reader, request: string): Promise<StoredGrant | undefined> {
  const row = await reader
    .selectFrom('accessGrant')
    .selectAll('accessGrant')
    .innerJoin('accessRequest', 'accessRequest.extends', 'accessGrant.id')
    .where('accessRequest.id', '=', request)
    .executeTakeFirst()
  return row && grantFromRow(row)
}

export async function findGrant(reader: Reader, id: string): Promise<StoredGrant | undefined> {
  const row = await reader.selectFrom('accessGrant').selectAll().where('id', '=', id).executeTakeFirst()
  return row && grantFromRow(row)
}

/** Whose grants: by principal key, resource, or the ticket of the request that they rest on. Absent: everyone's. */
export type GrantFilter = {
  readonly principals?: readonly string[]
  readonly resource?: string
  readonly ticket?: string
  /** Those that were activated through one of these logins. */
  readonly logins?: readonly string[]
  /** Those whose request was filed by this run of a workload. */
  readonly run?: string
}

/** Every grant that a changed fact may end: those that may be used, now or later. In pages, in the order of their ids. */
export async function* openGrantPages(
  reader: Reader,
  filter: GrantFilter,
  pageSize: number,
): AsyncGenerator<StoredGrant[]> {
  for (let last = ''; ;) {
    const rows = await openGrantsQuery(reader, filter).where('id', '>', last).limit(pageSize).execute()
    if (rows.length > 0) yield rows.map(grantFromRow)
    if (rows.length < pageSize) return
    last = rows.at(-1)?.id ?? last
  }
}

export const openGrants = async (reader: Reader): Promise<StoredGrant[]> =>
  (await openGrantsQuery(reader, {}).execute()).map(grantFromRow)

function openGrantsQuery(reader: Reader, { principals, resource, ticket, logins, run }: GrantFilter) {
  let query = reader
    .selectFrom('accessGrant')
    .selectAll('accessGrant')
    .where('state', 'in', ['scheduled', 'ready', 'provisioning', 'active'])
  if (principals) query = query.where('principal', 'in', principals)
  if (resource !== undefined) query = query.where('resource', '=', resource)
  if (logins) query = query.where('login', 'in', logins)
  if (run !== undefined) {
    query = query.where('request', 'in', (eb) =>
      eb
        .selectFrom('accessRequest')
        .select('id')
        .where(sql<boolean>`authentication ->> 'run' = ${run}`),
    )
  }
  if (ticket !== undefined) {
    query = query.where(
      (eb) => eb.fn.coalesce('extension', 'request'),
      'in',
      (eb) => eb.selectFrom('accessRequest').select('id').where('ticket', '=', ticket),
    )
  }
  return query.orderBy('id')
}
