/**
 * What of a change says who administers. Whoever may write policy could otherwise write themselves whatever they like:
 * with a role of their own, or as a member of the group that has one.
 */

import type { Policy } from '@tidegate/core'
import { namesAdministration } from '@tidegate/core'
import type { PlanItem } from './plan.ts'
import type { Snapshot } from './snapshot.ts'

/** Who people are, which groups they are in, how they sign in, who may do what in an emergency, and who is told of it. */
const aboutPeople: ReadonlySet<PlanItem['kind']> = new Set([
  'settings',
  'break-glass',
  'webhook',
  'provider',
  'user',
  'group',
])

type Change = { readonly before: Snapshot; readonly after: Snapshot; readonly items: readonly PlanItem[] }

export function concernsAdministration({ before, after, items }: Change): boolean {
  const policies = [...before.policies.policies, ...after.policies.policies]
  const concerned = new Set(policies.filter(decidesWhoAdministers).map(({ id }) => id))
  return items.some(
    ({ kind, id, sensitive }) => sensitive && (aboutPeople.has(kind) || (kind === 'policy' && concerned.has(id))),
  )
}

/** A forbid may be what stands between someone and a role of Tidegate, whatever its scope. */
const decidesWhoAdministers = (policy: Policy): boolean => policy.effect === 'forbid' || namesAdministration(policy)
