/**
 * Tells whom configuration names of what is in the log. Each webhook has its place there and is led on by one worker at
 * a time, so that a receiver that hangs holds up no other, and nobody who asks Tidegate for something waits for any.
 */

import type { Instant } from '@tidegate/core'
import { after, earlier, instant } from '@tidegate/core'
import type { Logger } from 'pino'
import type { Configurations } from '../configuration/configurations.ts'
import type { DeclaredWebhook } from '../configuration/schema.ts'
import { latestCheckpoint } from '../log/published.ts'
import { createLoop } from '../reconciler/loop.ts'
import type { Runtime } from '../runtime.ts'
import type { Wake } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import { check } from './check.ts'
import { hashOfWebhook } from './declared.ts'
import type { Courier } from './deliver.ts'
import { notifyLimits } from './limits.ts'
import { messageOf } from './message.ts'
import { settle } from './settle.ts'
import type { WebhookRow } from './turn.ts'
import { takeTurn } from './turn.ts'

export type NotifyDeps = {
  readonly db: Database
  readonly runtime: Runtime
  readonly wake?: Wake
  readonly configurations: Configurations
  readonly courier: Courier
  readonly publicUrl: () => string
  /** Of this server among those on the same store. */
  readonly name: string
  readonly log: Logger
}

export type Notifier = {
  readonly start: () => void
  /** There are new entries in the tree. */
  readonly expect: (at: Instant) => void
  /** Sends what is due, and returns. For tests. */
  readonly drain: () => Promise<void>
  /** What is on its way is broken off, and sent again by whoever comes next. */
  readonly stop: () => Promise<void>
}

export function createNotifier(deps: NotifyDeps): Notifier {
  const { runtime, log } = deps
  const stopping = new AbortController()
  const atWork = new Map<string, Promise<void>>()
  /** Those for which there was something while they were at work. What is nothing to them stays due, and is none. */
  const again = new Set<string>()
  let next: Instant | undefined
  let checkAt = instant(0)

  const failed = (error: unknown): void => log.error({ err: error }, 'a webhook could not be led on')
  const begin = (webhook: DeclaredWebhook): void => {
    const work = lead(deps, { webhook, stopping: stopping.signal }).finally(() => {
      atWork.delete(webhook.id)
      if (again.delete(webhook.id)) loop.expect(runtime.now())
    })
    atWork.set(webhook.id, work)
    work.catch(failed)
  }
  const pass = async (): Promise<void> => {
    const { webhooks } = (await deps.configurations.current(deps.db)).declared
    next = undefined
    if (webhooks.length === 0) return
    if (runtime.now() >= checkAt) {
      await check(deps, webhooks)
      checkAt = after(runtime.now(), notifyLimits.checkEvery)
    }
    const found = await whatIsDue(deps, webhooks)
    next = found.next
    for (const webhook of found.due) {
      if (atWork.has(webhook.id)) again.add(webhook.id)
      else begin(webhook)
    }
  }
  const loop = createLoop({
    pass,
    nextAt: async () => next,
    longestWaitMs: notifyLimits.longestWaitMs,
    now: runtime.now,
    failed,
  })
  return {
    start: loop.start,
    expect: loop.expect,
    async drain() {
      await pass()
      await Promise.all(atWork.values())
    },
    async stop() {
      stopping.abort()
      await loop.stop()
      await Promise.allSettled(atWork.values())
    },
  }
}

type Due = { readonly due: readonly DeclaredWebhook[]; readonly next: Instant | undefined }

async function whatIsDue({ db, runtime, name }: NotifyDeps, webhooks: readonly DeclaredWebhook[]): Promise<Due> {
  const [rows, checkpoint] = await Promise.all([
    db.selectFrom('webhook').selectAll().where('offAt', 'is', null).execute(),
    latestCheckpoint(db),
  ])
  const [now, size] = [runtime.now(), checkpoint?.size ?? 0]
  const due: DeclaredWebhook[] = []
  let next: Instant | undefined
  for (const webhook of webhooks) {
    const row = rows.find(({ id, declared }) => id === webhook.id && declared === hashOfWebhook(webhook))
    if (!row || row.nextIndex >= size) continue
    const at = freeAt(row, { now, name })
    if (at <= now) due.push(webhook)
    else next = earlier(at, next ?? at)
  }
  return { due, next }
}

/** What another server has in hand it may be done with sooner than it may be taken from it. */
function freeAt({ dueAt, sender, senderUntil }: WebhookRow, { now, name }: { now: Instant; name: string }): Instant {
  if (dueAt !== null && dueAt > now) return dueAt
  if (sender === null || sender === name || senderUntil === null || senderUntil <= now) return now
  return earlier(senderUntil, after(now, notifyLimits.heldElsewhere))
}

type Leading = { readonly webhook: DeclaredWebhook; readonly stopping: AbortSignal }

/** On to the end of the log, or to the first message that is not taken. */
async function lead(deps: NotifyDeps, { webhook, stopping }: Leading): Promise<void> {
  const sending = { webhook, sender: deps.name }
  while (!stopping.aborted) {
    const { told, goesOn } = await change(deps, (unit) => takeTurn(unit, sending))
    for (const one of told) {
      const outcome = await deps.courier.deliver(webhook, messageOf(one, deps.publicUrl()), stopping)
      if (!(await change(deps, (unit) => settle(unit, { ...sending, index: one.index, outcome })))) return
    }
    if (!goesOn) return
  }
}
