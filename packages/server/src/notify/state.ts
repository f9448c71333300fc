/** How a webhook stands, for whoever administers: how far behind, and what is in its way. */

import type { Output } from '@tidegate/api'
import { formatInstant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import { latestCheckpoint } from '../log/published.ts'
import type { Reader } from '../store/database.ts'
import { originOf } from './destination.ts'
import { notifyLimits } from './limits.ts'
import type { WebhookRow } from './turn.ts'
import { waitingOf } from './turn.ts'

type State = Output<'listWebhooks'>['items'][number]

/** Of those that have a row: every one of a configuration that is in force does. */
export async function statesOf(reader: Reader, webhooks: readonly DeclaredWebhook[]): Promise<State[]> {
  const rows = await reader.selectFrom('webhook').selectAll().execute()
  const size = (await latestCheckpoint(reader))?.size ?? 0
  const states: State[] = []
  for (const webhook of webhooks) {
    const row = rows.find(({ id }) => id === webhook.id)
    if (row) states.push({ ...said(webhook), ...stood(row), ...(await waits(reader, { webhook, row, size })) })
  }
  return states
}

const said = ({ id, url, entries, resources }: DeclaredWebhook): Pick<State, 'id' | 'origin' | 'entries'> => ({
  id,
  origin: originOf(url),
  entries,
  ...(resources && { resources }),
})

const stood = ({ failures, offAt, error, ...row }: WebhookRow): Pick<State, 'state' | 'failures'> => ({
  state: offAt !== null ? 'off' : failures > 0 ? 'failing' : 'working',
  failures,
  ...timeIf('succeededAt', row.succeededAt),
  ...timeIf('failedAt', row.failedAt),
  ...(error !== null && { error }),
  ...timeIf('nextAttemptAt', row.dueAt),
})

const timeIf = (name: string, at: Instant | null): Readonly<Record<string, string>> =>
  at === null ? {} : { [name]: formatInstant(at) }

type Behind = { readonly webhook: DeclaredWebhook; readonly row: WebhookRow; readonly size: number }

async function waits(
  reader: Reader,
  { webhook, row, size }: Behind,
): Promise<Pick<State, 'waiting' | 'more' | 'oldest'>> {
  let [waiting, oldest]: [number, string | undefined] = [0, undefined]
  for await (const { entry } of waitingOf(reader, { webhook, nextIndex: row.nextIndex, end: size })) {
    if (waiting === notifyLimits.counted) return { waiting, more: true, ...(oldest !== undefined && { oldest }) }
    waiting += 1
    oldest ??= entry.at
  }
  return { waiting, more: false, ...(oldest !== undefined && { oldest }) }
}
