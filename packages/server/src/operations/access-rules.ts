/** Who sees and touches what, beyond what the API's table says. */

import { ApiError } from '@tidegate/api'
import type { Principal, PrincipalRef } from '@tidegate/core'
import type { ResourceEntry, Snapshot } from '../configuration/snapshot.ts'
import type { Caller } from '../identity/identity.ts'

export const isSelf = (principal: Principal, ref: PrincipalRef): boolean =>
  principal.kind === ref.kind && principal.id === ref.id

/** Its people: whoever is in the resource's owner group. */
export const ownsResource = ({ principal }: Caller, entry: ResourceEntry | undefined): boolean =>
  principal.kind === 'user' && entry?.resource.owner !== undefined && principal.groups.includes(entry.resource.owner)

/**
 * Whom a list is about: the caller, or whoever is named, for those who may read everything.
 * @throws {ApiError} `forbidden`, whether there is such a user or not
 */
export function userSeenBy({ principal, auditor }: Caller, user: string = principal.id): string {
  if (user === principal.id || auditor) return user
  throw new ApiError('forbidden', { detail: 'Those of others are for auditors and administrators.' })
}

export const ownedResources = (caller: Caller, snapshot: Snapshot): string[] =>
  [...snapshot.resources.values()].filter((entry) => ownsResource(caller, entry)).map(({ resource }) => resource.id)

/** @throws {ApiError} `not-found` for a resource that is not there */
export function resourceOf(snapshot: Snapshot, id: string): ResourceEntry {
  const entry = snapshot.resources.get(id)
  if (!entry) throw new ApiError('not-found', { detail: `There is no resource ${id}.` })
  return entry
}
