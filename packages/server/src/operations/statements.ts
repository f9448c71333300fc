import { ApiError } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import { formatInstant, principalKey, roleKey } from '@tidegate/core'
import type { Verdict } from '@tidegate/core'
import type { MasterKey } from '../secrets/envelope.ts'
import type { Caller } from '../identity/identity.ts'
import { answerStatement } from '../statements/answer.ts'
import { askStatement } from '../statements/ask.ts'
import { contentsOf, saltOf } from '../statements/contents.ts'
import { statementLimits } from '../statements/limits.ts'
import type { Standing } from '../statements/who.ts'
import { approversOf, holdersOf, isHolder, mayAnswer } from '../statements/who.ts'
import type { Unit } from '../store/change.ts'
import type { Reader } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import type { StatementRow } from '../store/statements.ts'
import { findStatement, hasEnded, selectStatements } from '../store/statements.ts'
import type { Call, HandlersOf, Services } from './handler.ts'
import { pageOf } from './pages.ts'

export const statementHandlers: HandlersOf<
  'askStatement' | 'listStatements' | 'getStatement' | 'approveStatement' | 'denyStatement'
> = {
  askStatement: {
    kind: 'change',
    async run({ services, caller: { gateway }, input }, unit) {
      const asking = { gateway, key: keyOf(services), question: input }
      return { pendingUntil: formatInstant(await askStatement(unit, asking)) }
    },
  },
  listStatements: { kind: 'plain', run: listStatements },
  getStatement: {
    kind: 'plain',
    run: ({ services, caller, input: { id } }) => visibleStatement(services, services.db, { caller, id }),
  },
  approveStatement: { kind: 'change', run: (call, unit) => answered(call, unit, 'approve') },
  denyStatement: { kind: 'change', run: (call, unit) => answered(call, unit, 'deny') },
}

type View = Output<'getStatement'>

function keyOf({ gateways }: Services): MasterKey {
  if (!gateways) throw new ApiError('unavailable', { detail: 'This server has no gateways.' })
  return gateways.key
}

async function answered(
  { services, caller, input: { id, comment } }: Call<'approveStatement' | 'denyStatement'>,
  unit: Unit,
  verdict: Verdict,
): Promise<View> {
  await answerStatement(services, unit, { caller, id, verdict, comment })
  return visibleStatement(services, unit.tx, { caller, id })
}

async function listStatements({ services, caller, input }: Call<'listStatements'>) {
  const { status, session, principal, awaiting, limit, cursor } = input
  const now = services.runtime.now()
  let query = selectStatements(services.db)
  if (status !== undefined) query = query.where('accessStatement.status', '=', status)
  if (session !== undefined) query = query.where('accessStatement.session', '=', session)
  if (principal !== undefined) query = query.where('accessStatement.principal', '=', principal)
  if (cursor !== undefined) query = query.where('accessStatement.id', '<', cursor)
  if (awaiting !== undefined) {
    query = query
      .where('accessStatement.status', '=', 'pending')
      .where('accessStatement.pendingUntil', '>', boundInstant(now))
  } else if (!caller.auditor) {
    query = query.where('accessStatement.principal', '=', principalKey(caller.principal))
  }
  const most = awaiting === undefined ? limit + 1 : statementLimits.pendingLookedAt
  const rows = await query.orderBy('accessStatement.id', 'desc').limit(most).execute()
  const snapshot = await services.configurations.current(services.db)
  const holders = await holdersOf(services, services.db, { snapshot, rows, now })
  const mine = (row: StatementRow): boolean =>
    !hasEnded(row, now) && mayAnswer({ snapshot, holders, caller, row }).eligible
  const wanted = awaiting === undefined ? rows : rows.filter(mine)
  return pageOf(wanted.slice(0, limit + 1), limit, (row) => statementView(row, keyOf(services)))
}

type Asked = { readonly caller: Caller; readonly id: string }

/** @throws {ApiError} `not-found` also for what the caller may not see */
async function visibleStatement(services: Services, reader: Reader, { caller, id }: Asked): Promise<View> {
  const row = await findStatement(reader, id)
  const snapshot = await services.configurations.current(reader)
  const now = services.runtime.now()
  const holders = await holdersOf(services, reader, { snapshot, rows: row ? [row] : [], now })
  const sight = row && sightOf({ snapshot, holders, caller, row })
  if (!row || sight === undefined) throw new ApiError('not-found')
  const key = keyOf(services)
  const view = statementView(row, key)
  if (sight === 'outside' || row.contents === null) return view
  return { ...view, ...contentsOf({ id, contents: row.contents, key }) }
}

type Looking = Standing & { readonly row: StatementRow }

/** `outside`: all but what it says. */
function sightOf({ snapshot, holders, caller, row }: Looking): 'all' | 'outside' | undefined {
  if (isHolder(caller.principal, row) || mayAnswer({ snapshot, holders, caller, row }).eligible) return 'all'
  return caller.auditor || row.answeredBy === principalKey(caller.principal) ? 'outside' : undefined
}

function statementView(row: StatementRow, key: MasterKey): View {
  const { id, session, number, principal, database, gateway, rule, about, status, digest, settledAt, because } = row
  return {
    id,
    session,
    number,
    grant: row.grantId,
    principal,
    role: roleKey({ resource: row.resource, name: row.role }),
    database,
    gateway,
    rule,
    about,
    approvers: approversOf(row).map((list) => [...list]),
    status,
    askedAt: formatInstant(row.askedAt),
    pendingUntil: formatInstant(row.pendingUntil),
    commitment: digest,
    salt: saltOf({ id, salt: row.salt, key }),
    ...(settledAt !== null && { settledAt: formatInstant(settledAt) }),
    ...answerView(row),
    ...(because !== null && { because }),
  }
}

function answerView({ answeredBy, answeredAs, answeredAt, comment }: StatementRow): Pick<View, 'answer'> {
  if (answeredBy === null || answeredAt === null) return {}
  const answer = { approver: answeredBy, as: answeredAs ?? [], at: formatInstant(answeredAt) }
  return { answer: { ...answer, ...(comment !== null && { comment }) } }
}
