/**
 * Recordings are deleted by the gateways that have them, once the log says that they are to be: someone asked, or they
 * were kept for as long as their resource says. What a gateway reports of it is in `reports.ts`.
 */

import type { GrantId, Millis } from '@tidegate/core'
import { formatDuration, instant } from '@tidegate/core'
import { sql } from 'kysely'
import type { Configurations } from '../configuration/configurations.ts'
import type { Unit } from '../store/change.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import type { SessionRow } from '../store/sessions.ts'
import { gatewayServerLimits } from './limits.ts'

type Wish = { readonly by: string; readonly reason: string }

/** Of a session that is over. Twice is once, and the first reason stands. */
export async function askToForget(unit: Unit, row: SessionRow, { by, reason }: Wish): Promise<void> {
  const { tx, now, record, hint } = unit
  const asked = await tx
    .updateTable('accessSession')
    .set({ forgetAskedAt: instantParam(now), forgetBy: by, forgetReason: reason })
    .where('id', '=', row.id)
    .where('endedAt', 'is not', null)
    .where('forgetAskedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (!asked) return
  const fields = { session: row.id, gateway: row.gateway, principal: row.principal, by, reason }
  record({ type: 'recording.deletion-asked', at: now, grant: row.grantId as GrantId, fields })
  hint({ to: 'gateways', about: row.id })
}

/** Nobody in particular, in the log as on the tombstone. */
const byRetention = 'retention'

/** Those of each resource whose time is over. What configuration does not know any more is kept. */
export async function forgetOverdue(unit: Unit, configurations: Configurations): Promise<void> {
  const { resources } = await configurations.current(unit.tx)
  for (const [resource, { keepRecordingsFor: keepFor }] of resources) {
    if (keepFor !== undefined) await forgetKept(unit, { resource, keepFor })
  }
}

type Due = { id: string; gateway: string; grantId: GrantId; principal: string }

async function forgetKept(unit: Unit, { resource, keepFor }: { resource: string; keepFor: Millis }): Promise<void> {
  const { tx, now, record, hint } = unit
  const before = boundInstant(instant(now - keepFor))
  const reason = `kept for ${formatDuration(keepFor)}, as ${resource} says`
  const { rows } = await sql<Due>`
    with due as (
      select access_session.id from access_session join access_grant on access_grant.id = grant_id
      where access_grant.resource = ${resource} and access_session.ended_at < ${before}
        and head is not null and forget_asked_at is null
      order by access_session.ended_at limit ${gatewayServerLimits.forgetsAtOnce}
      for update of access_session skip locked
    ), asked as (
      update access_session set forget_asked_at = ${boundInstant(now)}, forget_by = ${byRetention}, forget_reason = ${reason}
      where id in (select id from due) returning id, gateway, grant_id
    )
    select asked.id, asked.gateway, grant_id, principal from asked join access_grant on access_grant.id = grant_id`.execute(
    tx,
  )
  for (const { id, gateway, grantId, principal } of rows) {
    const fields = { session: id, gateway, principal, keptSeconds: keepFor / 1_000 }
    record({ type: 'recording.deletion-asked', at: now, grant: grantId, fields })
  }
  // One word is enough: all of them are looked for together.
  const [first] = rows
  if (first) hint({ to: 'gateways', about: first.id })
}
