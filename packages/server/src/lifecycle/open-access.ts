/**
 * Asking and opening in one: what policy gives at once is filed, approved and begun in one transaction, on one decision,
 * and opened in the next. Everything else is filed, and that is all.
 */

import { ApiError } from '@tidegate/api'
import { grantCommands, requestCommands } from '@tidegate/core'
import { wayIn } from '../gateways/way-in.ts'
import type { Caller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Activated, Activation, Begun } from './activate-grant.ts'
import { activateGrant, activatingAs, openBegun } from './activate-grant.ts'
import type { Filed, Filing } from './file-request.ts'
import { fileRequest } from './file-request.ts'
import { obligingEvents } from './obliged.ts'
import { saveGrant } from './save.ts'

type Wanted = { readonly caller: Caller; readonly filing: Omit<Filing, 'startAt'> }

export async function openAccess(
  deps: Activation,
  wanted: Wanted,
): Promise<{ readonly filed: Filed; readonly activated?: Activated }> {
  const { filed, begun } = await change(deps, async (unit) => {
    const result = await fileRequest(deps, unit, wanted)
    // Where a yes to asking is none to opening, opening is asked about for itself.
    const apart = result.snapshot.policies.tellStepsApart
    const begun = apart ? undefined : await begin(deps, unit, { ...result, caller: wanted.caller })
    return { filed: result, begun }
  })
  const { grant } = filed
  if (!grant) return { filed }
  const open = (): Promise<Activated | undefined> => {
    if (begun) return openBegun(deps, begun)
    return filed.snapshot.policies.tellStepsApart
      ? activateGrant(deps, { caller: wanted.caller, id: grant.id })
      : Promise.resolve(undefined)
  }
  try {
    const activated = await open()
    return { filed, ...(activated && { activated }) }
  } catch (error) {
    // It is filed all the same, and whoever asked has not been told under which name.
    if (!(error instanceof ApiError)) throw error
    const detail = `${error.message} The request is ${filed.request.id}, its grant ${grant.id}.`
    throw new ApiError(error.code, { ...error.details, detail, cause: error })
  }
}

async function begin(
  { gateways }: Activation,
  unit: Unit,
  { grant, decision, snapshot, caller }: Filed & { readonly caller: Caller },
): Promise<Begun | undefined> {
  const entry = grant && snapshot.resources.get(grant.resource)
  const allowed = requestCommands.allowedBy(decision, [])
  if (!entry || allowed === undefined) return undefined
  const outcome = grantCommands.activate(grant, { now: unit.now, allowed })
  if ('refused' in outcome) return undefined
  const way = await wayIn(gateways, unit, { grant, entry })
  const events = [...outcome.events, ...obligingEvents(grant, { now: unit.now, decision })]
  const activating = activatingAs(caller, snapshot)
  return { grant: await saveGrant(unit, grant, { events, decision, activating }), entry, way }
}
