/** One evaluation: facts and policies in, the policies that hold out. The only place that asks Cedar for an answer. */

import type { AuthorizationAnswer, EntityJson } from '@cedar-policy/cedar-wasm/nodejs'
import { preparsePolicySet, preparseSchema, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import type { Facts } from './facts.ts'
import { policyLimits } from './limits.ts'
import type { ForbidPolicy, PermitPolicy, Policy, PolicySet } from './policy.ts'
import { compareText } from './problem.ts'
import { policySchema } from './schema.ts'
import { sliceFor } from './slice.ts'
import { createSlots } from './slots.ts'

export type Evaluation =
  /** The question itself did not fit the schema, or the engine failed. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Policies failed. Cedar skips them, a `forbid` too, so the rest of its answer is worth nothing. */
  | { readonly kind: 'errors'; readonly errors: readonly PolicyError[] }
  | { readonly kind: 'forbidden'; readonly by: readonly ForbidPolicy[] }
  /** Every permit that holds; none of them: no policy permits it. */
  | { readonly kind: 'permitted'; readonly by: readonly PermitPolicy[] }

export type PolicyError = { readonly policy: string; readonly message: string }

// Mirrors Cedar's own cache, which is one per thread whatever we do; what an evaluation answers does not depend on it.
const slots = createSlots(policyLimits, preparsePolicySet)
const schemaName = `${import.meta.url}#schema`

export function prepareSchema(): void {
  const answer = preparseSchema(schemaName, policySchema)
  if (answer.type === 'failure') throw new Error(answer.errors.map((error) => error.message).join('; '))
}

/** Never throws: a fault of the engine is an evaluation that failed. */
export function evaluate(set: PolicySet, facts: Facts): Evaluation {
  const slice = sliceFor(set, facts)
  try {
    return read(ask(slots.nameOf(set, slice), facts), slice.policies)
  } catch (fault) {
    return { kind: 'failed', message: fault instanceof Error ? fault.message : String(fault) }
  }
}

const ask = (preparsedPolicySetId: string, facts: Facts): AuthorizationAnswer =>
  statefulIsAuthorized({
    principal: { ...facts.principal },
    action: { type: 'Action', id: facts.action },
    resource: { ...facts.role },
    context: facts.context,
    entities: entitiesOf(facts),
    preparsedSchemaName: schemaName,
    validateRequest: true,
    preparsedPolicySetId,
  })

const entitiesOf = (facts: Facts): EntityJson[] => [
  { uid: facts.principal, attrs: {}, parents: [...facts.groups] },
  { uid: facts.role, attrs: facts.roleAttributes, parents: [facts.resource] },
  { uid: facts.resource, attrs: facts.resourceAttributes, parents: [...facts.labels] },
]

function read(answer: AuthorizationAnswer, asked: readonly Policy[]): Evaluation {
  if (answer.type === 'failure') return { kind: 'failed', message: answer.errors.map((e) => e.message).join('; ') }
  const { reason, errors } = answer.response.diagnostics
  if (errors.length > 0) return { kind: 'errors', errors: errors.map(policyError).toSorted(byPolicy) }
  const held = asked.filter((policy) => reason.includes(policy.id))
  if (held.length !== reason.length) return { kind: 'failed', message: 'the answer names a policy that was not asked' }
  const forbids = held.filter((policy) => policy.effect === 'forbid')
  if (forbids.length > 0) return { kind: 'forbidden', by: forbids }
  return { kind: 'permitted', by: held.filter((policy) => policy.effect === 'permit') }
}

const policyError = ({ policyId, error }: { policyId: string; error: { message: string } }): PolicyError => ({
  policy: policyId,
  message: error.message,
})

const byPolicy = (a: PolicyError, b: PolicyError): number => compareText(a.policy, b.policy)
