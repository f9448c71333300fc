/**
 * Sessions whose end nobody will tell: their gateway was put out, or has said nothing although their grant is over. They
 * are closed as lost, which is all that is known; a report that comes later is still believed.
 */

import { instant } from '@tidegate/core'
import type { GrantId } from '@tidegate/core'
import { sql } from 'kysely'
import type { Unit } from '../store/change.ts'
import { boundInstant } from '../store/database.ts'
import { endStatements } from '../statements/over.ts'
import { gatewayServerLimits } from './limits.ts'

type Lost = { id: string; gateway: string; grantId: GrantId; principal: string; resource: string; role: string }

/** All that are open at a gateway. */
export async function loseSessions(unit: Unit, { gateway }: { gateway: string }): Promise<void> {
  const reason = 'the gateway was put out; how the session ended is not known'
  await lose(unit, sql`gateway = ${gateway}`, reason)
}

/** Those whose grant has been over for long enough for anyone to have said so. */
export async function loseSilentSessions(unit: Unit): Promise<void> {
  const before = instant(unit.now - gatewayServerLimits.tellEndWithin)
  const over = sql`id in (
    select access_session.id from access_session join access_grant on access_grant.id = grant_id
    where access_session.ended_at is null and access_grant.ended_at < ${boundInstant(before)}
    limit ${gatewayServerLimits.lostAtOnce})`
  await lose(unit, over, 'its grant is over, and its gateway has not said how the session ended')
}

async function lose(unit: Unit, which: ReturnType<typeof sql>, reason: string): Promise<void> {
  const { rows } = await sql<Lost>`
    with lost as (
      update access_session set ended_at = ${boundInstant(unit.now)}, end_reason = ${reason}, lost = true
      where ended_at is null and ${which} returning id, gateway, grant_id
    )
    select lost.id, lost.gateway, lost.grant_id, principal, resource, role
    from lost join access_grant on access_grant.id = lost.grant_id`.execute(unit.tx)
  for (const { id, gateway, grantId, principal, resource, role } of rows) {
    const fields = { session: id, gateway, role: `${resource}/${role}`, principal, reason, lost: true }
    unit.record({ type: 'session.ended', at: unit.now, grant: grantId, fields })
  }
  const sessions = rows.map(({ id }) => id)
  await endStatements(unit, sessions, 'session-ended')
}
