/**
 * The index by scope: which policies a question can possibly concern. A policy whose scope is false for the question can
 * be left out or not: its condition, and an error in it, cannot matter. A scope not understood matches everything.
 */

import { administrationResource } from '../administration.ts'
import type { Question } from '../decision.ts'
import { labelKeys, roleKey } from '../resource.ts'
import type { Facts, Uid } from './facts.ts'
import { policyLimits } from './limits.ts'
import type { PermitPolicy, Policy, PolicySet } from './policy.ts'

/** One key per side; `any` where every question matches. */
export type Scope = { readonly principal: string; readonly resource: string }

type Positions = ReadonlyMap<string, readonly number[]>

/** To positions in the set's policies: by principal key, then resource key; and by resource key alone. */
export type PolicyIndex = { readonly bySides: ReadonlyMap<string, Positions>; readonly byResource: Positions }

/** The policies a question can concern. Equal keys within one set mean equal slices. */
export type Slice = { readonly key: string; readonly policies: readonly Policy[] }

const any = 'any'
const uidKey = ({ type, id }: Uid): string => `${type}::${JSON.stringify(id)}`
const typeKey = (type: string): string => `is ${type}`

/** Reads one side of the scope from Cedar's JSON of a policy. */
export function scopeKey(constraint: unknown): string {
  const { op, entity, entity_type: type, in: inside } = asRecord(constraint)
  if (op === '==' || op === 'in') return entityKey(entity)
  if (op !== 'is' || typeof type !== 'string') return any
  return inside === undefined || inside === null ? typeKey(type) : entityKey(asRecord(inside)['entity'])
}

function entityKey(entity: unknown): string {
  const { type, id } = asRecord(asRecord(entity)['__entity'] ?? entity)
  return typeof type === 'string' && typeof id === 'string' ? uidKey({ type, id }) : any
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

export function indexByScope(scopes: readonly Scope[]): PolicyIndex {
  const bySides = new Map<string, Map<string, number[]>>()
  const byResource = new Map<string, number[]>()
  for (const [position, { principal, resource }] of scopes.entries()) {
    const ofPrincipal = bySides.get(principal) ?? new Map<string, number[]>()
    bySides.set(principal, ofPrincipal)
    for (const positions of [ofPrincipal, byResource])
      positions.set(resource, [...(positions.get(resource) ?? []), position])
  }
  return { bySides, byResource }
}

/**
 * Where that is not much more, everyone's policies for the resource: a company has far fewer kinds of resources than of
 * people asking for them, so that the same few slices come again and stay parsed.
 */
export function sliceFor(set: PolicySet, facts: Facts): Slice {
  const keys = keysFor(facts)
  const { bySides, byResource } = set.index
  const at = (positions: Positions | undefined): number[] =>
    positions ? keys.resource.flatMap((resource) => positions.get(resource) ?? []) : []
  const own = keys.principal.flatMap((principal) => at(bySides.get(principal)))
  const everyones = at(byResource)
  const positions = everyones.length <= 2 * own.length + policyLimits.sliceRoom ? everyones : own
  const inOrder = positions.toSorted((a, b) => a - b)
  return { key: inOrder.join(), policies: inOrder.flatMap((position) => set.policies[position] ?? []) }
}

/** The policies whose scope the question meets, however the set is indexed. */
export function concernedBy(set: PolicySet, facts: Facts): readonly Policy[] {
  const { principal, resource } = keysFor(facts)
  return sliceFor(set, facts).policies.filter(
    ({ scope }) => principal.includes(scope.principal) && resource.includes(scope.resource),
  )
}

const keysFor = (facts: Facts): { readonly principal: readonly string[]; readonly resource: readonly string[] } => ({
  principal: keysOf(facts.principal, facts.groups),
  resource: keysOf(facts.role, [facts.resource, ...facts.labels]),
})

/** Cedar's `==` and `in` both hold for the entity itself, so one key serves both. */
const keysOf = (entity: Uid, ancestors: readonly Uid[]): string[] => [
  ...new Set([any, typeKey(entity.type), uidKey(entity), ...ancestors.map(uidKey)]),
]

export type Obliging = {
  readonly permit: PermitPolicy
  /** Its scope is this role or resource, and not only something that it is in. */
  readonly names: boolean
}

/** The permits that ask something of sessions and whose scope this role is in. */
export function obligingPermits(set: PolicySet, { resource, role }: Pick<Question, 'resource' | 'role'>): Obliging[] {
  const own = [uidKey({ type: 'Role', id: roleKey(role) }), uidKey({ type: 'Resource', id: resource.id })]
  const labels = labelKeys(resource).map((id) => uidKey({ type: 'Label', id }))
  const keys = new Set([any, typeKey('Role'), ...own, ...labels])
  return set.policies.flatMap((permit) =>
    permit.effect === 'permit' && permit.obligations.length > 0 && keys.has(permit.scope.resource)
      ? [{ permit, names: own.includes(permit.scope.resource) }]
      : [],
  )
}

/** The scope of the policy is Tidegate itself, or a role of it. */
export const namesAdministration = ({ scope }: Pick<Policy, 'scope'>): boolean =>
  scope.resource === uidKey({ type: 'Resource', id: administrationResource }) ||
  scope.resource.startsWith(uidKey({ type: 'Role', id: `${administrationResource}/` }).slice(0, -1))

/** The scope of the policy is this very role, or this very resource: no label and no everything. */
export const namesRole = (
  { scope }: Pick<Policy, 'scope'>,
  { role, resource }: Pick<Facts, 'role' | 'resource'>,
): boolean => scope.resource === uidKey(role) || scope.resource === uidKey(resource)

/** The same policies without the index: every question sees all of them. For tests and measurements. */
export const unsliced = (set: PolicySet): PolicySet => ({
  ...set,
  index: indexByScope(set.policies.map(() => ({ principal: any, resource: any }))),
})
