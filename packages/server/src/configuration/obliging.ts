/** Policies that ask of sessions what nobody would hold them to, because no gateway stands before the target. */

import type { FieldProblem } from '@tidegate/api'
import type { PolicySet } from '@tidegate/core'
import { obligationKey, obligingPermits, roleKey } from '@tidegate/core'
import type { ResourceEntry, Snapshot } from './snapshot.ts'

type Entries = ReadonlyMap<string, ResourceEntry>

/** Those that name the resource or a role on it: they would never give anything. */
export function unkeptProblems(policies: PolicySet, entries: Entries): FieldProblem[] {
  const problems = new Map<string, FieldProblem>()
  for (const { resource, permit, asks, names } of unkept(policies, entries)) {
    if (!names) continue
    problems.set(`${permit.id} ${resource}`, {
      field: `${permit.path}:${permit.line}:1`,
      message: `policy ${permit.id}: It asks for ${asks} on ${resource}, and access to that does not lead through a gateway.`,
      remedy: `Write gateway: required for ${resource}, or leave it out.`,
    })
  }
  return [...problems.values()]
}

/** Those that have it in their scope among others, for a plan. */
export const unkeptEffects = ({ policies, resources }: Pick<Snapshot, 'policies' | 'resources'>): string[] =>
  [...unkept(policies, resources)].map(
    ({ role, permit, asks }) =>
      `denies ${role} to whomever policy ${permit.id} permits it: it asks for ${asks}, and no gateway is required there`,
  )

function* unkept(policies: PolicySet, entries: Entries) {
  for (const { resource, roles } of entries.values()) {
    if (resource.gateway === 'required') continue
    for (const { role } of roles.values()) {
      for (const { permit, names } of obligingPermits(policies, { resource, role })) {
        const asks = permit.obligations.map(obligationKey).join(', ')
        yield { resource: resource.id, role: roleKey(role), permit, asks, names }
      }
    }
  }
}
