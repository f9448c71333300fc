/** Statements that people are asked about, in the store. */

import type { Instant, StatementStatus } from '@tidegate/core'
import type { ExpressionBuilder, Selectable, Updateable } from 'kysely'
import type { Reader, Tables, Tx } from './database.ts'
import { boundInstant } from './database.ts'

/** With what it needs of its session and grant. */
export type StatementRow = Selectable<Tables['accessStatement']> & {
  resource: string
  role: string
  database: string
  sessionEndedAt: Instant | null
  grantState: string
  grantExpiresAt: Instant | null
}

/** Statements, to be narrowed and read. */
export const selectStatements = (reader: Reader) =>
  reader
    .selectFrom('accessStatement')
    .innerJoin('accessGrant', 'accessGrant.id', 'accessStatement.grantId')
    .innerJoin('accessSession', 'accessSession.id', 'accessStatement.session')
    .selectAll('accessStatement')
    .select(['accessGrant.resource', 'accessGrant.role', 'accessSession.database'])
    .select(['accessSession.endedAt as sessionEndedAt'])
    .select(['accessGrant.state as grantState', 'accessGrant.expiresAt as grantExpiresAt'])

/** Its session cannot run it any more. */
export const hasEnded = ({ sessionEndedAt, grantState, grantExpiresAt }: StatementRow, now: Instant): boolean =>
  sessionEndedAt !== null || grantState !== 'active' || grantExpiresAt === null || grantExpiresAt <= now

export const findStatement = (reader: Reader, id: string): Promise<StatementRow | undefined> =>
  selectStatements(reader).where('accessStatement.id', '=', id).executeTakeFirst()

/** Locked until the transaction ends, in one order for all who lock several. */
export const lockStatements = (tx: Tx, ids: readonly string[]): Promise<StatementRow[]> =>
  selectStatements(tx)
    .where('accessStatement.id', 'in', ids)
    .orderBy('accessStatement.id')
    .forUpdate('accessStatement')
    .execute()

type Open = { readonly sessions: readonly string[] }

/** Those of these sessions that somebody may still wait for. */
export const lockOpenStatements = (tx: Tx, { sessions }: Open): Promise<StatementRow[]> =>
  selectStatements(tx)
    .where('accessStatement.session', 'in', sessions)
    .where('accessStatement.overAt', 'is', null)
    .orderBy('accessStatement.id')
    .forUpdate('accessStatement')
    .execute()

type Builder = ExpressionBuilder<
  Tables & { accessStatement: Tables['accessStatement'] },
  'accessStatement' | 'accessGrant'
>

/** Pending, although their time or their grant is over. */
const isOverdue = (now: Instant) => (eb: Builder) =>
  eb.or([
    eb('accessStatement.pendingUntil', '<=', boundInstant(now)),
    eb('accessGrant.state', '!=', 'active'),
    eb('accessGrant.expiresAt', '<=', boundInstant(now)),
  ])

export const overdueStatements = (tx: Tx, now: Instant, limit: number): Promise<StatementRow[]> =>
  selectStatements(tx)
    .where('accessStatement.status', '=', 'pending')
    .where(isOverdue(now))
    .orderBy('accessStatement.pendingUntil')
    .limit(limit)
    .forUpdate('accessStatement')
    .skipLocked()
    .execute()

/** Most looks find none: one read, without the transaction that changing them takes. */
export async function hasOverdueStatements(reader: Reader, now: Instant): Promise<boolean> {
  const row = await selectStatements(reader)
    .where('accessStatement.status', '=', 'pending')
    .where(isOverdue(now))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export async function nextOverdueStatement(reader: Reader): Promise<Instant | undefined> {
  const row = await reader
    .selectFrom('accessStatement')
    .select('pendingUntil')
    .where('status', '=', 'pending')
    .orderBy('pendingUntil')
    .limit(1)
    .executeTakeFirst()
  return row?.pendingUntil
}

export type StatementChange = Pick<
  Updateable<Tables['accessStatement']>,
  'settledAt' | 'answeredBy' | 'answeredAs' | 'answeredAt' | 'comment' | 'because' | 'overAt'
>

/** What it says goes with its being pending. */
export async function updateStatement(
  tx: Tx,
  { id, status }: { readonly id: string; readonly status: StatementStatus },
  change: StatementChange,
): Promise<void> {
  const kept = status === 'pending' ? {} : { contents: null }
  await tx
    .updateTable('accessStatement')
    .set({ status, ...kept, ...change })
    .where('id', '=', id)
    .execute()
}

/** Of one grant, asked at this time or later. */
export async function countAsked(reader: Reader, { grant, since }: { grant: string; since: Instant }): Promise<number> {
  const { count } = await reader
    .selectFrom('accessStatement')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('grantId', '=', grant)
    .where('askedAt', '>', boundInstant(since))
    .executeTakeFirstOrThrow()
  return count
}
