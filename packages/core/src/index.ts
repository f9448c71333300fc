/**
 * @tidegate/core: the domain, pure. No clock, no randomness, no IO; the policy engine is its one dependency.
 * It trusts its callers for the truth of the facts they pass, and nothing else.
 */

export * from './time.ts'
export * from './ids.ts'
export * from './principal.ts'
export * from './resource.ts'
export * from './signal.ts'
export * from './decision.ts'
export * from './grant/transitions.ts'
export * from './grant/grant.ts'
export * as grantCommands from './grant/commands.ts'
export * from './request/transitions.ts'
export * from './request/request.ts'
export * from './request/eligibility.ts'
export * as requestCommands from './request/commands.ts'
export { policyLimits } from './policy/limits.ts'
export { policySchema } from './policy/schema.ts'
export { defaultMaxDuration, policyAnnotations } from './policy/annotations.ts'
export type * from './policy/policy.ts'
export type { PolicyFile, PolicyProblem } from './policy/problem.ts'
export { positionAt } from './policy/source.ts'
export * from './policy/load.ts'
export { unsliced } from './policy/slice.ts'
export * from './policy/decide.ts'
export * from './policy/approvals.ts'
