/** Who may answer a request. Resolved when they answer, never when it was filed. */

import type { Principal } from '../principal.ts'
import { chainOf, peopleBehind } from '../principal.ts'
import type { Resource } from '../resource.ts'

export type Ineligible = 'own-request' | 'not-a-person' | 'not-an-approver'

export type Eligibility =
  | { readonly eligible: true; readonly as: readonly string[] }
  | { readonly eligible: false; readonly why: Ineligible }

type Parties = {
  readonly requester: Principal
  readonly approver: Principal
  readonly resource: Pick<Resource, 'owner'>
  /** The specs that can act now: the open stages of the paths. */
  readonly open: readonly string[]
}

/** Under which of the open specs this approver may answer. The requester's own people never may. */
export function eligibility({ requester, approver, resource, open }: Parties): Eligibility {
  if (approver.kind !== 'user') return { eligible: false, why: 'not-a-person' }
  if (peopleBehind(requester).includes(approver.id)) return { eligible: false, why: 'own-request' }
  const held = new Set(approver.groups)
  if (managerOf(requester) === approver.id) held.add('manager')
  if (resource.owner !== undefined && approver.groups.includes(resource.owner)) held.add('owner')
  const as = open.filter((spec) => held.has(spec))
  return as.length > 0 ? { eligible: true, as } : { eligible: false, why: 'not-an-approver' }
}

/** Of the person at the end of its chain. */
function managerOf(principal: Principal): string | undefined {
  const last = chainOf(principal).at(-1)
  return last?.kind === 'user' ? last.manager : undefined
}
