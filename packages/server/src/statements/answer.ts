/** A person answers about one statement. Once, while it waits, and never about what is their own. */

import { ApiError } from '@tidegate/api'
import type { GrantId, Instant, StatementStatus, Verdict } from '@tidegate/core'
import { formatInstant, principalKey } from '@tidegate/core'
import type { Caller } from '../identity/identity.ts'
import type { Lifecycle } from '../lifecycle/context.ts'
import type { Unit } from '../store/change.ts'
import { instantParam } from '../store/database.ts'
import type { StatementRow } from '../store/statements.ts'
import { hasEnded, lockStatements, updateStatement } from '../store/statements.ts'
import { holdersOf, isHolder, mayAnswer } from './who.ts'

type Answer = {
  readonly caller: Caller
  readonly id: string
  readonly verdict: Verdict
  readonly comment: string | undefined
}

const statusOf = { approve: 'approved', deny: 'denied' } as const satisfies Record<Verdict, StatementStatus>

/** The same answer of the same person again is the one that was given. */
export async function answerStatement(lifecycle: Lifecycle, unit: Unit, answer: Answer): Promise<void> {
  const { caller, id, verdict, comment } = answer
  const [row] = await lockStatements(unit.tx, [id])
  if (!row) throw new ApiError('not-found')
  const as = await eligibleAs(lifecycle, unit, { caller, row })
  const approver = principalKey(caller.principal)
  const status = statusOf[verdict]
  if (row.answeredBy === approver && said(row) === verdict) return
  const why = whySettled(row, unit.now)
  if (why !== undefined) throw new ApiError('statement-settled', { detail: why })
  const at = instantParam(unit.now)
  unit.send(
    updateStatement(
      unit.tx,
      { id, status },
      { settledAt: at, answeredBy: approver, answeredAs: [...as], answeredAt: at, comment: comment ?? null },
    ),
  )
  const fields = { statement: id, session: row.session, as, approver, comment }
  unit.record({ type: `statement.${status}`, at: unit.now, grant: row.grantId as GrantId, fields })
  unit.hint({ to: 'gateways', about: id })
}

/** @throws {ApiError} `not-found` also for what the caller may not know of */
async function eligibleAs(
  lifecycle: Lifecycle,
  { tx, now }: Unit,
  { caller, row }: { readonly caller: Caller; readonly row: StatementRow },
): Promise<readonly string[]> {
  const snapshot = await lifecycle.configurations.current(tx)
  const holders = await holdersOf(lifecycle, tx, { snapshot, rows: [row], now })
  const standing = mayAnswer({ snapshot, holders, caller, row })
  if (standing.eligible) return standing.as
  // Who stands behind an agent or a service may not answer for it, and need not be told of it.
  if (isHolder(caller.principal, row)) throw new ApiError('own-request')
  if (caller.auditor) throw new ApiError(standing.why === 'own-request' ? 'own-request' : 'not-an-approver')
  throw new ApiError('not-found')
}

/** An answer stands in what came of it too: what was approved may have been run, or not. */
const said = ({ status }: StatementRow): Verdict => (status === 'denied' ? 'deny' : 'approve')

function whySettled(row: StatementRow, now: Instant): string | undefined {
  if (row.status !== 'pending') return settledWords(row)
  if (row.pendingUntil <= now) return `It was to be answered until ${formatInstant(row.pendingUntil)}.`
  return hasEnded(row, now) ? 'Its session or its grant has ended.' : undefined
}

const settledWords = ({ status, answeredBy, because }: StatementRow): string =>
  [
    `It is ${status}`,
    ...(answeredBy === null ? [] : [`answered by ${answeredBy}`]),
    ...(because === null ? [] : [because]),
  ].join(', ') + '.'
