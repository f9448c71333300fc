/**
 * Asking and opening in one: what policy gives at once is filed, approved and begun in one transaction, on one decision,
 * and opened in the next. Everything else is filed, and that is all.
 */

import { ApiError } from '@tidegate/api'
import { grantCommands, isAdministration, requestCommands } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import { wayIn } from '../gateways/way-in.ts'
import type { Caller } from '../identity/identity.ts'
import type { Unit } from '../store/change.ts'
import { change } from '../store/change.ts'
import type { Activated, Activation, Begun } from './activate-grant.ts'
import {
  activateGrant,
  activatingAs,
  assumeGrant,
  heldAtOnce,
  isOfTidegate,
  openBegun,
  storedGrant,
} from './activate-grant.ts'
import type { Filed, Filing } from './file-request.ts'
import { fileRequest } from './file-request.ts'
import { obligingEvents } from './obliged.ts'
import { saveGrant } from './save.ts'

type Wanted = {
  readonly caller: Caller
  readonly filing: Omit<Filing, 'startAt'>
  /** As of `fileRequest`. */
  readonly snapshot?: Snapshot
}

/** What is filed and, where policy gives it at once, begun. */
export type BegunAccess = {
  readonly filed: Filed
  readonly begun?: Begun
  /** Opening is asked about by itself. */
  readonly apart: boolean
}

/** What is open then. Without a credential: a role of Tidegate itself, which is held by its grant alone. */
export type OpenedAccess = Pick<Activated, 'grant'> & Partial<Activated>

export async function openAccess(
  deps: Activation,
  wanted: Wanted,
): Promise<{ readonly filed: Filed; readonly activated?: OpenedAccess }> {
  const begun = await change(deps, (unit) => beginAccess(deps, unit, wanted))
  const activated = await openFiled(deps, wanted.caller, begun)
  return { filed: begun.filed, ...(activated && { activated }) }
}

/** The first transaction. */
export async function beginAccess(deps: Activation, unit: Unit, wanted: Wanted): Promise<BegunAccess> {
  const filed = await fileRequest(deps, unit, wanted)
  // Where a yes to asking is none to opening, opening is asked about for itself; of breaking glass, before it is filed.
  const apart = filed.snapshot.policies.tellStepsApart && wanted.filing.action !== 'break-glass'
  const begun = apart ? undefined : await begin(deps, unit, { ...filed, caller: wanted.caller })
  return { filed, apart, ...(begun && { begun }) }
}

/** The second. `undefined`: policy does not give it at once. */
export async function openFiled(
  deps: Activation,
  caller: Caller,
  { filed, begun, apart }: BegunAccess,
): Promise<OpenedAccess | undefined> {
  const { grant } = filed
  if (!grant) return undefined
  try {
    if (begun) return await openOrHold(deps, begun)
    if (!apart) return undefined
    const which = { caller, id: grant.id }
    return isOfTidegate(grant) ? { grant: await assumeGrant(deps, which) } : await activateGrant(deps, which)
  } catch (error) {
    // It is filed all the same, and whoever asked has not been told under which name.
    if (!(error instanceof ApiError)) throw error
    const detail = `${error.message} The request is ${filed.request.id}, its grant ${grant.id}.`
    throw new ApiError(error.code, { ...error.details, detail, cause: error })
  }
}

const openOrHold = async (deps: Activation, begun: Begun): Promise<OpenedAccess> =>
  isAdministration(begun.entry.resource) ? { grant: await storedGrant(deps, begun) } : openBegun(deps, begun)

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
  const events = [
    ...outcome.events,
    ...obligingEvents(grant, { now: unit.now, decision }),
    ...heldAtOnce(entry, unit.now),
  ]
  const activating = activatingAs(caller, snapshot)
  return { grant: await saveGrant(unit, grant, { events, decision, activating }), entry, way }
}
