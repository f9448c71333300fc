/** What nobody wants to hear any more is passed by after failed attempts, and counted in the log. */

import type { Instant } from '@tidegate/core'
import { instant, parseInstant } from '@tidegate/core'
import { latestCheckpoint } from '../log/published.ts'
import type { Unit } from '../store/change.ts'
import type { Tx } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'
import { notifyLimits } from './limits.ts'
import type { Told } from './message.ts'
import type { Sending } from './turn.ts'
import { waitingOf } from './turn.ts'

type Waiting = Pick<Sending, 'webhook'> & { readonly nextIndex: number }

/**
 * Nothing goes before the oldest is somewhat older than too old; then all that is too old goes at once. Only after an
 * attempt that failed, or for a receiver that is none: what was merely late is sent, however old it is.
 */
export async function giveUpOld(unit: Unit, { webhook, nextIndex }: Waiting): Promise<void> {
  const { tx, now } = unit
  const size = (await latestCheckpoint(tx))?.size ?? 0
  const tooOld = instant(Math.max(0, now - notifyLimits.tooOld))
  const { value: oldest } = await waitingOf(tx, { webhook, nextIndex, end: size }).next()
  if (!oldest || timeOf(oldest) > tooOld - notifyLimits.givenUpEvery) return
  const end = await firstYounger(tx, { nextIndex, end: size, than: tooOld })
  let [count, last] = [0, oldest.index]
  for await (const { index } of waitingOf(tx, { webhook, nextIndex, end })) [count, last] = [count + 1, index]
  await tx.updateTable('webhook').set({ nextIndex: end }).where('id', '=', webhook.id).execute()
  const fields = { webhook: webhook.id, count, first: oldest.index, last }
  unit.record({ type: 'webhook.gave-up', at: now, fields })
}

const timeOf = ({ entry }: Told): Instant => parseInstant(entry.at) ?? instant(0)

type Search = { readonly nextIndex: number; readonly end: number; readonly than: Instant }

/** Places in the log need not be in the order of times: what is older and comes behind it goes the next time. */
async function firstYounger(tx: Tx, { nextIndex, end, than }: Search): Promise<number> {
  const row = await tx
    .selectFrom('auditEntry')
    .select('leafIndex')
    .where('leafIndex', '>=', nextIndex)
    .where('leafIndex', '<', end)
    .where('at', '>', boundInstant(than))
    .orderBy('leafIndex')
    .limit(1)
    .executeTakeFirst()
  return row?.leafIndex ?? end
}
