import type { Grant } from '@tidegate/core'
import { requestCommands } from '@tidegate/core'
import type { Unit } from '../store/change.ts'
import { lockRequest } from '../store/requests.ts'
import { saveRequest } from './save.ts'

/** The request of a grant that could not be opened says so too. */
export async function failRequest(unit: Unit, grant: Grant): Promise<void> {
  const request = await lockRequest(unit.tx, grant.request)
  const note = grant.end?.note ?? 'open-failed'
  const outcome = request && requestCommands.fail(request, { now: unit.now, note })
  if (request && outcome && 'events' in outcome) await saveRequest(unit, request, { events: outcome.events })
}
