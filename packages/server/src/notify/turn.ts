/**
 * Whose turn it is to send, and what is next. A turn is a row that one server has put its name on for a while, and not a
 * lock: nothing of the store is held while a receiver takes its time, and a server that dies loses it by the clock.
 */

import { after } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import type { Selectable } from 'kysely'
import { sql } from 'kysely'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import type { EntryType } from '../log/entry-types.ts'
import { latestCheckpoint } from '../log/published.ts'
import type { StoredEntry } from '../log/receipts.ts'
import { withDisclosures } from '../log/receipts.ts'
import type { Unit } from '../store/change.ts'
import type { Reader, Tables, Tx } from '../store/database.ts'
import { boundInstant, instantParam } from '../store/database.ts'
import { hashOfWebhook } from './declared.ts'
import { notifyLimits } from './limits.ts'
import type { Told } from './message.ts'
import { whereOf } from './message.ts'
import { selectionOf } from './selection.ts'

export type WebhookRow = Selectable<Tables['webhook']>

export type Turn = {
  /** In the order of the log. Empty: it is not ours, or there is nothing. */
  readonly told: readonly Told[]
  /** There is more to look through. */
  readonly goesOn: boolean
}

/** @property sender this server */
export type Sending = { readonly webhook: DeclaredWebhook; readonly sender: string }

const notOurs: Turn = { told: [], goesOn: false }

export async function takeTurn(unit: Unit, { webhook, sender }: Sending): Promise<Turn> {
  const { tx, now } = unit
  const row = await lockFree(tx, { webhook, sender, now })
  if (!row) return notOurs
  const size = (await latestCheckpoint(tx))?.size ?? 0
  const end = Math.min(size, row.nextIndex + notifyLimits.lookThrough)
  const { told, lookedTo } = await nextOf(tx, webhook, { from: row.nextIndex, end })
  if (told.length > 0) await sign(tx, { id: row.id, sender, now })
  else if (row.sender !== null || lookedTo < size || lookedTo - row.nextIndex >= notifyLimits.passedBy)
    await passBy(tx, { id: row.id, nextIndex: lookedTo })
  return { told, goesOn: told.length > 0 || lookedTo < size }
}

type Free = Sending & { readonly now: Instant }

const lockFree = (tx: Tx, { webhook, sender, now }: Free): Promise<WebhookRow | undefined> =>
  tx
    .selectFrom('webhook')
    .selectAll()
    .where('id', '=', webhook.id)
    .where('declared', '=', hashOfWebhook(webhook))
    .where('offAt', 'is', null)
    .where(sql<boolean>`(due_at is null or due_at <= ${boundInstant(now)})`)
    .where(sql<boolean>`(sender is null or sender = ${sender} or sender_until <= ${boundInstant(now)})`)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst()

type Range = { readonly from: number; readonly end: number }

async function nextOf(
  reader: Reader,
  webhook: DeclaredWebhook,
  range: Range,
): Promise<{ readonly told: readonly Told[]; readonly lookedTo: number }> {
  const rows = await entriesOf(reader, { types: selectionOf(webhook.entries).types, ...range })
  const stored = await withDisclosures(reader, rows)
  const found = rows.map(({ leafIndex, resource, role }, place) => ({
    ...(stored[place] as StoredEntry),
    index: leafIndex,
    resource,
    role,
  }))
  const lookedTo = rows.length < notifyLimits.messages ? range.end : (found.at(-1)?.index ?? range.from) + 1
  return { told: found.filter(isFor(webhook)), lookedTo }
}

type Waiting = { readonly webhook: DeclaredWebhook; readonly nextIndex: number; readonly end: number }

/** What it has neither got nor passed by, in the order of the log. */
export async function* waitingOf(
  reader: Reader,
  { webhook, nextIndex, end }: Waiting,
): AsyncGenerator<Told, undefined> {
  for (let from = nextIndex; from < end;) {
    const lookTo = Math.min(end, from + notifyLimits.lookThrough)
    const { told, lookedTo } = await nextOf(reader, webhook, { from, end: lookTo })
    yield* told
    from = lookedTo
  }
}

/** What does not say which resource it is about may be about any. */
function isFor({ entries, resources }: DeclaredWebhook): (told: Told) => boolean {
  const { takes } = selectionOf(entries)
  return (told) => {
    const { resource } = whereOf(told)
    return takes(told.entry) && (resource === undefined || (resources?.includes(resource) ?? true))
  }
}

type Looking = Range & { readonly types: readonly EntryType[] }

/** With the resource and role of the grant or request that each is about. */
const entriesOf = (reader: Reader, { types, from, end }: Looking) =>
  reader
    .selectFrom('auditEntry')
    .leftJoin('accessGrant', 'accessGrant.id', 'auditEntry.grantId')
    .leftJoin('accessRequest', 'accessRequest.id', 'auditEntry.request')
    .select(({ fn }) => [
      'auditEntry.id',
      'auditEntry.body',
      'auditEntry.leafIndex',
      fn.coalesce('accessGrant.resource', 'accessRequest.resource').as('resource'),
      fn.coalesce('accessGrant.role', 'accessRequest.role').as('role'),
    ])
    .where('auditEntry.leafIndex', '>=', from)
    .where('auditEntry.leafIndex', '<', end)
    .where('auditEntry.type', 'in', types)
    .orderBy('auditEntry.leafIndex')
    .limit(notifyLimits.messages)
    .$narrowType<{ leafIndex: number }>()
    .execute()

type Mine = { readonly id: string; readonly sender: string; readonly now: Instant }

/** Counted from each message anew. */
const sign = async (tx: Tx, { id, sender, now }: Mine): Promise<void> =>
  void (await tx
    .updateTable('webhook')
    .set({ sender, senderUntil: instantParam(after(now, notifyLimits.turn)) })
    .where('id', '=', id)
    .execute())

const passBy = async (tx: Tx, { id, nextIndex }: { id: string; nextIndex: number }): Promise<void> =>
  void (await tx
    .updateTable('webhook')
    .set({ nextIndex, sender: null, senderUntil: null })
    .where('id', '=', id)
    .execute())
