/** Statements that nobody waits for any more: told by their gateway, ended with their session, or past their time. */

import type { GrantId, StatementOutcome, StatementStanding, StatementStatus } from '@tidegate/core'
import { statusAfter } from '@tidegate/core'
import type { Runtime } from '../runtime.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import { instantParam } from '../store/database.ts'
import type { StatementRow } from '../store/statements.ts'
import {
  hasOverdueStatements,
  lockOpenStatements,
  lockStatements,
  overdueStatements,
  updateStatement,
} from '../store/statements.ts'
import { statementLimits } from './limits.ts'

/** Why it is abandoned, as people and the log read it. */
const words: Partial<Record<StatementOutcome, string>> = {
  cancelled: 'its client gave it up',
  'session-ended': 'its session ended',
  'not-here': 'its gateway does not have it any more',
  'timed-out': 'its time was over before its gateway heard of the answer',
  refused: 'its gateway refused it',
}

type Told = { readonly gateway: string; readonly statement: string; readonly outcome: StatementOutcome }

/** Why the report is refused; `undefined`: it is taken. Twice is once. */
export async function takeOutcome(unit: Unit, { gateway, statement, outcome }: Told): Promise<string | undefined> {
  const [row] = await lockStatements(unit.tx, [statement])
  if (!row || row.gateway !== gateway) return 'This gateway has asked about no such statement.'
  const status = statusAfter(standingOf(row), outcome)
  if (status === undefined) return 'Nobody has approved the statement.'
  await settle(unit, row, { status, because: words[outcome], isOver: true })
  return undefined
}

/** What was asked in these sessions is over with them. */
export async function endStatements(unit: Unit, sessions: readonly string[], outcome: StatementOutcome): Promise<void> {
  if (sessions.length === 0) return
  for (const row of await lockOpenStatements(unit.tx, { sessions })) {
    const status = statusAfter(standingOf(row), outcome) ?? row.status
    await settle(unit, row, { status, because: words[outcome], isOver: true })
  }
}

const standingOf = ({ status, answeredBy }: StatementRow): StatementStanding => ({
  status,
  isApproved: answeredBy !== null && status !== 'denied',
})

type Settled = {
  readonly status: StatementStatus
  readonly because: string | undefined
  /** Its gateway need not be told. */
  readonly isOver: boolean
}

async function settle(unit: Unit, row: StatementRow, { status, because, isOver }: Settled): Promise<void> {
  const isNew = status !== row.status
  if (!isNew && (!isOver || row.overAt !== null)) return
  const at = instantParam(unit.now)
  await updateStatement(
    unit.tx,
    { id: row.id, status },
    {
      ...(isOver && { overAt: at }),
      ...(isNew && row.status === 'pending' && { settledAt: at }),
      ...(isNew && { because: status === 'abandoned' ? (because ?? '') : null }),
    },
  )
  if (isNew) recordSettled(unit, row, { status, because })
  if (!isOver) unit.hint({ to: 'gateways', about: row.id })
}

function recordSettled(unit: Unit, row: StatementRow, { status, because }: Omit<Settled, 'isOver'>): void {
  const fields = { statement: row.id, session: row.session, ...(status === 'abandoned' && { because }) }
  const type = `statement.${status as 'run' | 'expired' | 'abandoned'}` as const
  unit.record({ type, at: unit.now, grant: row.grantId as GrantId, fields })
}

type Deps = { readonly db: Database; readonly runtime: Runtime }

/** Those that nobody answered in time, and those whose grant has ended without their gateway having said so yet. */
export async function settleOverdueStatements(deps: Deps): Promise<void> {
  if (!(await hasOverdueStatements(deps.db, deps.runtime.now()))) return
  const most = statementLimits.settledAtOnce
  while ((await change(deps, (unit) => settleSome(unit, most))) === most);
}

async function settleSome(unit: Unit, most: number): Promise<number> {
  const rows = await overdueStatements(unit.tx, unit.now, most)
  for (const row of rows) {
    const isLate = row.pendingUntil <= unit.now
    const status = isLate ? 'expired' : 'abandoned'
    await settle(unit, row, { status, because: isLate ? undefined : 'its grant ended', isOver: false })
  }
  return rows.length
}
