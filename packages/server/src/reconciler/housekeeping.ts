/** Throws away what has served its purpose and proves nothing. */

import { limits } from '@tidegate/api'
import type { Millis } from '@tidegate/core'
import { days, instant } from '@tidegate/core'
import type { Runtime } from '../runtime.ts'
import type { Database } from '../store/database.ts'
import { boundInstant } from '../store/database.ts'

/** A signal that went stale this long ago tells nobody anything. */
const staleSignalsKept: Millis = days(7)

export async function housekeeping({
  db,
  runtime,
}: {
  readonly db: Database
  readonly runtime: Runtime
}): Promise<void> {
  const now = runtime.now()
  const keysBefore = instant(now - days(limits.idempotencyKeyDays))
  await db.deleteFrom('idempotency').where('at', '<', boundInstant(keysBefore)).execute()
  await db
    .deleteFrom('signal')
    .where('staleAt', '<', boundInstant(instant(now - staleSignalsKept)))
    .execute()
}
