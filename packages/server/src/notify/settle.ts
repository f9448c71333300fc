/** What an attempt came to, in the webhook's row: on to the next message, or this one again later. */

import { after, formatInstant, instant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import { closeFinding, openFinding } from '../findings/findings.ts'
import { backoff } from '../reconciler/backoff.ts'
import type { Unit } from '../store/change.ts'
import { instantParam } from '../store/database.ts'
import { aboutWebhook, hashOfWebhook } from './declared.ts'
import type { Outcome } from './deliver.ts'
import { giveUpOld } from './give-up.ts'
import { notifyLimits } from './limits.ts'
import type { Sending, WebhookRow } from './turn.ts'

export type Settling = Sending & { readonly index: number; readonly outcome: Outcome }

/** @returns whether the turn goes on; not where it was lost, or the webhook changed or is gone, meanwhile */
export async function settle(unit: Unit, settling: Settling): Promise<boolean> {
  const row = await lockOurs(unit, settling)
  if (!row) return false
  const { outcome, index } = settling
  if (outcome.kind === 'accepted') {
    await accepted(unit, row, index)
    return true
  }
  if (outcome.kind === 'gone') await switchOff(unit, row)
  else if (outcome.kind === 'stopped') await update(unit, row, freed)
  else await failed(unit, { row, outcome, settling })
  return false
}

const freed = { sender: null, senderUntil: null } as const

const lockOurs = ({ tx }: Unit, { webhook, sender, index }: Settling): Promise<WebhookRow | undefined> =>
  tx
    .selectFrom('webhook')
    .selectAll()
    .where('id', '=', webhook.id)
    .where('declared', '=', hashOfWebhook(webhook))
    .where('sender', '=', sender)
    .where('nextIndex', '<=', index)
    .forUpdate()
    .executeTakeFirst()

type Changes = Partial<{
  readonly [Column in keyof WebhookRow]: WebhookRow[Column] extends Instant | null ? Date | null : WebhookRow[Column]
}>

const update = async ({ tx }: Unit, { id }: WebhookRow, changes: Changes): Promise<void> =>
  void (await tx.updateTable('webhook').set(changes).where('id', '=', id).execute())

async function accepted(unit: Unit, row: WebhookRow, index: number): Promise<void> {
  const now = instantParam(unit.now)
  const senderUntil = instantParam(after(unit.now, notifyLimits.turn))
  await update(unit, row, { nextIndex: index + 1, succeededAt: now, failures: 0, dueAt: null, senderUntil })
  // Fewer are a finding only where a server has no secret, which is so whatever another one sends.
  if (row.failures >= notifyLimits.loud) await closeFinding(unit, aboutWebhook(row.id))
}

async function switchOff(unit: Unit, row: WebhookRow): Promise<void> {
  const error = 'It answered 410: it is no receiver any more.'
  const at = instantParam(unit.now)
  await update(unit, row, { ...freed, offAt: at, failures: row.failures + 1, failedAt: at, error, dueAt: null })
  unit.record({ type: 'webhook.switched-off', at: unit.now, fields: { webhook: row.id } })
  await tellOff(unit, row.id)
}

export const tellOff = (unit: Unit, id: string): Promise<void> =>
  openFinding(unit, {
    ...aboutWebhook(id),
    severity: 'high',
    message: `The receiver of the webhook ${id} answered that it is none any more (410). Nothing is sent to it until configuration changes it or leaves it out.`,
  })

type Failure = {
  readonly row: WebhookRow
  readonly outcome: Extract<Outcome, { readonly error: string }>
  readonly settling: Settling
}

async function failed(unit: Unit, { row, outcome, settling }: Failure): Promise<void> {
  const failures = row.failures + 1
  const { error } = outcome
  const asked = outcome.kind === 'failed' ? (outcome.pause ?? 0) : 0
  const pause = Math.max(backoff(failures, unit.runtime.random, notifyLimits), asked)
  const dueAt = instantParam(instant(unit.now + pause))
  await update(unit, row, { ...freed, failures, error, failedAt: instantParam(unit.now), dueAt })
  if (failures >= notifyLimits.loud || outcome.kind === 'unready') await tellFailing(unit, { id: row.id, error, row })
  await giveUpOld(unit, { ...settling, nextIndex: row.nextIndex })
}

type Failing = { readonly id: string; readonly error: string; readonly row?: Pick<WebhookRow, 'succeededAt'> }

/** Also where nothing was tried yet, and it is known that nothing could be. */
export const tellFailing = (unit: Unit, { id, error, row }: Failing): Promise<void> => {
  const { succeededAt = null } = row ?? {}
  const last =
    succeededAt === null ? 'Nothing has arrived so far.' : `The last arrived at ${formatInstant(succeededAt)}.`
  return openFinding(unit, {
    ...aboutWebhook(id),
    severity: 'high',
    message: `What the webhook ${id} should get does not arrive. ${error} ${last} Tidegate keeps trying: tidegate webhooks.`,
  })
}
