/** A policy as loaded: Cedar's condition, and what its annotations say a yes costs. */

import type { Stage } from '../decision.ts'
import type { Obligation } from '../obligation.ts'
import type { Millis } from '../time.ts'
import type { PolicyIndex, Scope } from './slice.ts'

type Common = {
  /** Its `@id`, unique in the set. */
  readonly id: string
  readonly path: string
  readonly line: number
  /** Cedar source, from its first annotation to its semicolon. */
  readonly text: string
  readonly scope: Scope
}

export type PermitPolicy = Common & {
  readonly effect: 'permit'
  /** Empty: it needs no one. */
  readonly stages: readonly Stage[]
  readonly maxDuration: Millis
  /** What it asks of sessions, also of those that another permit opens. */
  readonly obligations: readonly Obligation[]
}

export type ForbidPolicy = Common & {
  readonly effect: 'forbid'
  /** For the refused, in the words of the policy's author. */
  readonly advice?: string
}

export type Policy = PermitPolicy | ForbidPolicy

/** An immutable set of policies that passed every check. Made by `loadPolicies` alone. */
export type PolicySet = {
  /** What the caller calls this content, for example a hash of the files. */
  readonly version: string
  /** Sorted by id. */
  readonly policies: readonly Policy[]
  readonly index: PolicyIndex
  /** One of them mentions the step: a yes to one step is none to another. */
  readonly tellStepsApart: boolean
}
