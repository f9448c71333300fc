/** A gateway asks people about a statement of one of its sessions, which waits. */

import { ApiError } from '@tidegate/api'
import type { ParsedInput } from '@tidegate/api'
import type { GrantId, Instant } from '@tidegate/core'
import { after, formatInstant, grantCommands, instant, roleKey, seconds } from '@tidegate/core'
import type { GatewayRef } from '../identity/identity.ts'
import type { MasterKey } from '../secrets/envelope.ts'
import type { Unit } from '../store/change.ts'
import { instantParam } from '../store/database.ts'
import { grantFromRow } from '../store/grants.ts'
import { selectSessions } from '../store/sessions.ts'
import type { SessionRow } from '../store/sessions.ts'
import { countAsked, findStatement } from '../store/statements.ts'
import { keep } from './contents.ts'
import { statementLimits } from './limits.ts'

export type Question = ParsedInput<'askStatement'>
type Asking = { readonly gateway: GatewayRef; readonly key: MasterKey; readonly question: Question }

/**
 * The same question again is the one that was asked: whoever lost the answer asks again.
 * @throws {ApiError} `not-found` for a session that is not known yet as well: its report may be on its way
 */
export async function askStatement(unit: Unit, asking: Asking): Promise<Instant> {
  const { gateway, question } = asking
  const session = await lockSession(unit, question.session)
  if (!session || session.gateway !== gateway.id || !serves(gateway, session)) throw new ApiError('not-found')
  const known = await findStatement(unit.tx, question.id)
  if (known && known.session !== session.id) throw new ApiError('not-found')
  if (known) return known.pendingUntil
  await checkGrant(unit, session)
  const pendingUntil = after(unit.now, seconds(question.withinSeconds))
  await insert(unit, asking, { session, pendingUntil })
  return pendingUntil
}

/** Its statements come one after the other, and none after its end. */
const lockSession = ({ tx }: Unit, id: string): Promise<SessionRow | undefined> =>
  selectSessions(tx).where('accessSession.id', '=', id).forUpdate('accessSession').executeTakeFirst()

const serves = ({ resources }: GatewayRef, { resource }: SessionRow): boolean => resources?.includes(resource) ?? true

async function checkGrant({ tx, now }: Unit, { grantId, endedAt }: SessionRow): Promise<void> {
  const row = await tx.selectFrom('accessGrant').selectAll().where('id', '=', grantId).executeTakeFirstOrThrow()
  if (endedAt !== null || !grantCommands.givesAccess(grantFromRow(row), now)) throw new ApiError('grant-ended')
  const since = instant(now - statementLimits.askedWithin)
  if ((await countAsked(tx, { grant: grantId, since })) >= statementLimits.asked) throw new ApiError('statement-limit')
}

type Placed = { readonly session: SessionRow; readonly pendingUntil: Instant }

async function insert(unit: Unit, { key, question }: Asking, { session, pendingUntil }: Placed): Promise<void> {
  const { id, number, rule, about, approvers, text, parameters } = question
  const kept = keep({ text, parameters }, { id, key, random: unit.runtime.random })
  const { numInsertedOrUpdatedRows } = await unit.tx
    .insertInto('accessStatement')
    .values({
      id,
      session: session.id,
      grantId: session.grantId,
      gateway: session.gateway,
      principal: session.principal,
      number,
      rule,
      about,
      approvers: JSON.stringify(approvers),
      contents: kept.contents,
      salt: kept.salt,
      digest: kept.commitment,
      status: 'pending',
      askedAt: instantParam(unit.now),
      pendingUntil: instantParam(pendingUntil),
    })
    // The number is that of another statement: a gateway counts each once.
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows !== 1n) throw new ApiError('not-found')
  unit.record({
    type: 'statement.asked',
    at: unit.now,
    grant: session.grantId as GrantId,
    fields: {
      statement: id,
      session: session.id,
      gateway: session.gateway,
      role: roleKey({ resource: session.resource, name: session.role }),
      number,
      rule,
      approvers,
      pendingUntil: formatInstant(pendingUntil),
      commitment: kept.commitment,
      principal: session.principal,
    },
  })
}
