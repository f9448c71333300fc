/** Who is in which group, nested groups resolved. */

import type { PrincipalKind } from '@tidegate/core'
import type { DeclaredGroup } from './schema.ts'

export type Member = { readonly kind: PrincipalKind | 'group'; readonly id: string }

const prefixed = /^(user|service|agent|group):(.+)$/

/** `alice` is a user. */
export function readMember(text: string): Member {
  const match = prefixed.exec(text)
  return match ? { kind: match[1] as Member['kind'], id: match[2] as string } : { kind: 'user', id: text }
}

/** By a member's key, `user:alice` or `group:leads`, the ids of the groups that name it. */
export type Parents = ReadonlyMap<string, ReadonlySet<string>>

export function parentsOf(groups: readonly DeclaredGroup[]): Parents {
  const parents = new Map<string, Set<string>>()
  for (const group of groups) {
    for (const text of group.members) {
      const { kind, id } = readMember(text)
      const key = `${kind}:${id}`
      parents.set(key, (parents.get(key) ?? new Set()).add(group.id))
    }
  }
  return parents
}

/** For each principal key the ids of all groups it is in, sorted. */
export const resolveMembership = (parents: Parents): Map<string, readonly string[]> =>
  new Map(
    [...parents.keys()].filter((key) => !key.startsWith('group:')).map((key) => [key, groupsAbove([key], parents)]),
  )

/** The ids of all groups that these are in, sorted. Cycles are allowed and mean equality. */
export function groupsAbove(keys: readonly string[], parents: Parents): string[] {
  const found = new Set<string>()
  const open = keys.flatMap((key) => [...(parents.get(key) ?? [])])
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    if (found.has(group)) continue
    found.add(group)
    open.push(...(parents.get(`group:${group}`) ?? []))
  }
  return [...found].toSorted()
}
