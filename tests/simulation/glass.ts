/** Breaking glass: by whom, for what, and what becomes of it. */

import { breaksGlass, fullVariant } from './configuration.ts'
import type { GrantRow, ReviewRow, Sight } from './look.ts'
import type { World } from './world.ts'

/** Grants that rest on it still. One that was extended since rests on what was asked for then. */
export const isOfGlass = ({ requests }: Sight, { request, extension }: GrantRow): boolean =>
  requests.get(extension ?? request)?.action === 'break-glass'

const personOf = ({ principal }: GrantRow): string => principal.slice('user:'.length)

/** As the configuration said by which it was asked for, and by which it was opened. */
export function unregisteredUses(world: World, now: Sight): string[] {
  return [...now.grants.values()].flatMap((grant) => {
    if (!isOfGlass(now, grant)) return []
    const decision = now.decisions.get(now.requests.get(grant.request)?.decision ?? '')
    const asked = world.variantOfHash(decision?.policy_version ?? '')
    const opened = grant.configuration === null ? asked : world.variantOf(grant.configuration)
    const role = `${grant.resource}/${grant.role}`
    return [asked, opened].every((variant) => breaksGlass(fullVariant(variant), personOf(grant), role))
      ? []
      : [`${grant.id}: ${grant.principal} broke glass for ${role}, and was not registered for it`]
  })
}

export function unreviewedUses(world: World, now: Sight, before: Sight): string[] {
  const uses = [...now.grants.values()].filter(({ request }) => now.requests.get(request)?.action === 'break-glass')
  const without = uses
    .filter((grant) => !now.reviews.some((review) => review.grant_id === grant.id && review.person === personOf(grant)))
    .map(({ id }) => `${id} is of a use of break-glass that nobody is to review`)
  const lost = before.reviews
    .filter((was) => !now.reviews.some((is) => isSame(is, was)))
    .map(({ id }) => `the review ${id} is gone, or not what it was`)
  const kept = [...world.told.reviews].filter(([id, by]) => !now.reviews.some((is) => is.id === id && by(is)))
  return [
    ...without,
    ...lost,
    ...kept.map(([id]) => `someone was told of the review ${id}, and it is not as they were told`),
    ...now.reviews.flatMap((review) => [...untold(now, review), ...wronglyReviewed(world, now, review)]),
  ]
}

const isSame = (is: ReviewRow, was: ReviewRow): boolean =>
  is.id === was.id &&
  is.due_at === was.due_at &&
  is.person === was.person &&
  (was.closed_at === null || (is.closed_at === was.closed_at && is.closed_by === was.closed_by))

function untold(now: Sight, { id, closed_at }: ReviewRow): string[] {
  const entries = now.entries.filter(({ review }) => review === id).map(({ type }) => type)
  const wanted = ['break-glass.used', ...(closed_at === null ? [] : ['break-glass.reviewed'])]
  const open = now.findings.some(
    (one) => one.kind === 'break-glass-used' && one.subject === `review:${id}` && one.closed_at === null,
  )
  return [
    ...(entries.join(' ') === wanted.join(' ') ? [] : [`the entries of ${id} are ${entries.join(', ')}`]),
    ...(open === (closed_at === null) ? [] : [`the finding of ${id} is ${open ? 'open' : 'closed'}`]),
  ]
}

/** By someone else, who was to review when some configuration was in force. */
function wronglyReviewed(world: World, now: Sight, { id, person, closed_by }: ReviewRow): string[] {
  if (closed_by === null) return []
  const reviews = now.configurations.some(({ hash }) =>
    fullVariant(world.variantOfHash(hash)).reviewers.includes(closed_by),
  )
  return reviews && closed_by !== person ? [] : [`${closed_by} reviewed ${id}, the use of ${person}`]
}

/** Its time is by the clock of whoever let it be; one that was open before and after was so then. */
export function brokenAgain(now: Sight, before: Sight): string[] {
  const known = new Set(before.reviews.map(({ id }) => id))
  return now.reviews
    .filter(({ id }) => !known.has(id))
    .flatMap(({ person, used_at }) =>
      before.reviews
        .filter((was) => was.person === person && was.due_at <= used_at)
        .filter((was) => now.reviews.some(({ id, closed_at }) => id === was.id && closed_at === null))
        .map(({ id, due_at }) => `${person} broke glass again, and ${id} is unreviewed since ${used_at - due_at} ms`),
    )
}
