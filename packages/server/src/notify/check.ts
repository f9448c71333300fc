/** Whether webhooks could send at all: that a secret is missing is said when the server starts, and not in an emergency. */

import { instant } from '@tidegate/core'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import { closeFinding } from '../findings/findings.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import { aboutWebhook } from './declared.ts'
import { giveUpOld } from './give-up.ts'
import { notifyLimits } from './limits.ts'
import type { NotifyDeps } from './notifier.ts'
import { tellFailing, tellOff } from './settle.ts'

type Checked = { readonly webhook: DeclaredWebhook; readonly unready: string | undefined }

export async function check(deps: NotifyDeps, webhooks: readonly DeclaredWebhook[]): Promise<void> {
  for (const webhook of webhooks) {
    const unready = await deps.courier.unready(webhook)
    if (unready !== undefined) deps.log.error({ webhook: webhook.id }, `A webhook cannot send. ${unready}`)
    await change(deps, (unit) => tell(unit, { webhook, unready }))
  }
}

/** By how it stands, whoever said something else before. */
async function tell(unit: Unit, { webhook, unready }: Checked): Promise<void> {
  const { id } = webhook
  const row = await unit.tx
    .selectFrom('webhook')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()
  if (!row) return
  if (row.offAt !== null) {
    await tellOff(unit, id)
    return giveUpOld(unit, { webhook, nextIndex: row.nextIndex })
  }
  if (unready !== undefined) return tellFailing(unit, { id, error: unready, row })
  if (row.failures >= notifyLimits.loud) return tellFailing(unit, { id, error: row.error ?? '', row })
  // This server can send. Another that cannot says so as often as this one looks.
  const unseenSince = instant(Math.max(0, unit.now - 2 * notifyLimits.checkEvery))
  return closeFinding(unit, { ...aboutWebhook(id), unseenSince })
}
