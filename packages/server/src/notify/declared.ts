/** The rows of webhooks follow configuration, in the transaction that brings it into force. */

import { createHash } from 'node:crypto'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import type { Declared } from '../configuration/snapshot.ts'
import { closeFinding } from '../findings/findings.ts'
import { latestCheckpoint } from '../log/published.ts'
import type { Unit } from '../store/change.ts'

/** Of all that configuration says of it: its URL may be a secret, so the row has this instead. */
export const hashOfWebhook = (webhook: DeclaredWebhook): string =>
  createHash('sha256').update(JSON.stringify(webhook)).digest('hex')

export const aboutWebhook = (id: string) => ({ kind: 'webhook-failing', subject: `webhook:${id}` }) as const

type Change = { readonly before: Pick<Declared, 'webhooks'>; readonly after: Pick<Declared, 'webhooks'> }

export async function declareWebhooks(unit: Unit, { before, after }: Change): Promise<void> {
  const was = new Map(before.webhooks.map((webhook) => [webhook.id, hashOfWebhook(webhook)]))
  const changed = after.webhooks.filter((webhook) => was.get(webhook.id) !== hashOfWebhook(webhook))
  if (changed.length > 0) await putRows(unit, changed)
  for (const { id } of changed) if (was.has(id)) await closeFinding(unit, aboutWebhook(id))
  const present = new Set(after.webhooks.map(({ id }) => id))
  for (const id of was.keys()) if (!present.has(id)) await forget(unit, id)
}

/** A new one begins where the log ends now. One that is changed goes on where it was, whatever stood in its way. */
async function putRows({ tx }: Unit, webhooks: readonly DeclaredWebhook[]): Promise<void> {
  const nextIndex = (await latestCheckpoint(tx))?.size ?? 0
  await tx
    .insertInto('webhook')
    .values(webhooks.map((webhook) => ({ id: webhook.id, declared: hashOfWebhook(webhook), nextIndex })))
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet((eb) => ({
        declared: eb.ref('excluded.declared'),
        failures: 0,
        failedAt: null,
        error: null,
        dueAt: null,
        offAt: null,
        sender: null,
        senderUntil: null,
      })),
    )
    .execute()
}

async function forget(unit: Unit, id: string): Promise<void> {
  await unit.tx.deleteFrom('webhook').where('id', '=', id).execute()
  await closeFinding(unit, aboutWebhook(id))
}
