/** The answer to a question as its facts stand: an evaluation read through what the policies cost. */

import type { ApprovalPath, Deny } from '../decision.ts'
import type { Obligation } from '../obligation.ts'
import { allObligations } from '../obligation.ts'
import type { Millis } from '../time.ts'
import { evaluate } from './evaluate.ts'
import type { Facts } from './facts.ts'
import { bothPaths, orderPaths, sortedUnion } from './paths.ts'
import type { PermitPolicy, PolicySet } from './policy.ts'
import { namesRole } from './slice.ts'
import {
  evaluationFailed,
  forbiddenBy,
  forPeople,
  needsGateway,
  noPolicy,
  policyFailed,
  tooLong,
  unnamed,
  waitsForPeople,
} from './words.ts'

export type Yes = {
  readonly yes: true
  /** Never empty; either one path without stages, or only paths with stages. */
  readonly paths: readonly ApprovalPath[]
  readonly obligations: readonly Obligation[]
}

export type No = {
  readonly yes: false
  readonly cause: Deny['cause']
  readonly policies: readonly string[]
  readonly reasons: readonly string[]
}

export type Answer = Yes | No

/** One of those who must be permitted: the principal, or for an agent it and all it acts for. */
export type Side = { readonly facts: Facts; readonly name?: string }

/** Yes only where every side's answer is yes. */
export function answer(set: PolicySet, sides: readonly Side[]): Answer {
  const answers = sides.map((side) => named(answerOne(set, side.facts), side.name))
  const refusals = answers.filter((one) => !one.yes)
  if (refusals.length > 0) return joinRefusals(refusals)
  return answers.flatMap((one) => (one.yes ? [one] : [])).reduce(bothYes)
}

const bothYes = (a: Yes, b: Yes): Yes => ({
  yes: true,
  paths: bothPaths(a.paths, b.paths),
  obligations: allObligations(a.obligations, b.obligations),
})

function answerOne(set: PolicySet, facts: Facts): Answer {
  const evaluation = evaluate(set, facts)
  switch (evaluation.kind) {
    case 'failed':
      return no('policy-error', [], [evaluationFailed(evaluation.message)])
    case 'errors':
      return no(
        'policy-error',
        evaluation.errors.map((error) => error.policy),
        evaluation.errors.map(policyFailed),
      )
    case 'forbidden':
      return no(
        'forbidden',
        evaluation.by.map((policy) => policy.id),
        evaluation.by.map(forbiddenBy),
      )
    case 'permitted':
      return counting(evaluation.by, facts)
  }
}

/**
 * Two kinds of access are given by no permit that did not mean it: a role of Tidegate itself only by one that names it,
 * and breaking glass by none that would wait for people.
 */
function counting(permits: readonly PermitPolicy[], facts: Facts): Answer {
  // One that acts for someone, or a workload, would be a way around whoever approves for people.
  if (facts.isAdministration && facts.principal.type !== 'User') return no('no-policy', [], [forPeople])
  const named = permits.filter((permit) => !facts.isAdministration || namesRole(permit, facts))
  if (named.length === 0 && permits.length > 0) return no('no-policy', [], [noPolicy, unnamed(permits)])
  const atOnce = named.filter(({ stages }) => facts.action === 'access' || stages.length === 0)
  if (atOnce.length === 0 && named.length > 0) return no('no-policy', [], [noPolicy, waitsForPeople(named)])
  return fitting(atOnce, facts)
}

/** The permits that hold and give as long as was asked are alternative paths; what any of them asks of sessions holds. */
function fitting(permits: readonly PermitPolicy[], { duration: asked, isGated }: Facts): Answer {
  if (permits.length === 0) return no('no-policy', [], [noPolicy])
  const obligations = allObligations(...permits.map((permit) => permit.obligations))
  if (obligations.length > 0 && !isGated) return unkept(obligations)
  const paths = permits.filter((permit) => permit.maxDuration >= asked).map(pathOf)
  if (paths.length > 0) return { yes: true, paths: orderPaths(paths), obligations }
  const longest = permits.reduce((length, { maxDuration }) => Math.max(length, maxDuration), 0) as Millis
  return no(
    'too-long',
    permits.map((permit) => permit.id),
    [tooLong(asked, longest)],
  )
}

/** What cannot be kept is not promised. */
const unkept = (obligations: readonly Obligation[]): No =>
  no(
    'needs-gateway',
    obligations.flatMap(({ policies }) => policies),
    [needsGateway(obligations)],
  )

const pathOf = ({ id, stages, maxDuration }: PermitPolicy): ApprovalPath => ({ policies: [id], stages, maxDuration })

export const no = (cause: Deny['cause'], policies: readonly string[], reasons: readonly string[]): No => ({
  yes: false,
  cause,
  policies: sortedUnion(policies),
  reasons: [...new Set(reasons)],
})

const named = (one: Answer, name: string | undefined): Answer =>
  one.yes || name === undefined ? one : { ...one, reasons: one.reasons.map((reason) => `For ${name}: ${reason}`) }

const gravest: readonly Deny['cause'][] = ['policy-error', 'forbidden', 'needs-gateway', 'no-policy', 'too-long']

/** The gravest cause, with its policies; every side's reasons. */
function joinRefusals(refusals: readonly No[]): No {
  const cause = gravest.find((one) => refusals.some((refusal) => refusal.cause === one)) ?? 'policy-error'
  const determining = refusals.filter((refusal) => refusal.cause === cause)
  const others = refusals.filter((refusal) => refusal.cause !== cause)
  return no(
    cause,
    determining.flatMap((refusal) => refusal.policies),
    [...determining, ...others].flatMap((refusal) => refusal.reasons),
  )
}
