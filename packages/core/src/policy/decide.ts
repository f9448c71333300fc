/** The one question: may this principal hold this role on this resource now, given these facts? */

import type {
  AuthenticationNeed,
  Change,
  Decision,
  Deny,
  NeedsApproval,
  NeedsStepUp,
  Permit,
  Question,
  SignalUse,
} from '../decision.ts'
import type { DecisionId } from '../ids.ts'
import type { Principal } from '../principal.ts'
import { chainOf } from '../principal.ts'
import { isFresh } from '../signal.ts'
import type { Answer, No, Side, Yes } from './answer.ts'
import { answer, no } from './answer.ts'
import type { Alternatives } from './changes.ts'
import { authenticationChanges, changesWorthTrying, withChanges } from './changes.ts'
import { factsOf, localTime, unfitness } from './facts.ts'
import { policyLimits } from './limits.ts'
import { sortedUnion } from './paths.ts'
import type { PolicySet } from './policy.ts'
import type { Probe } from './remedies.ts'
import { findRemedies } from './remedies.ts'
import { concernedBy } from './slice.ts'
import { authenticationWords, heldTo, needsApproval, permittedBy, sentence } from './words.ts'

/**
 * Depends on its arguments alone: the same ones give an equal decision, whenever and however often it is asked.
 * Never throws; what cannot be evaluated is denied with cause `policy-error`.
 */
export function decide(policies: PolicySet, question: Question, id: DecisionId): Decision {
  const basis = { id, policyVersion: policies.version, signals: question.signals.map((s) => signalUse(s, question)) }
  const sides = sidesOf(question)
  if ('unfit' in sides) return { ...basis, ...refusal(no('policy-error', [], [sides.unfit])) }
  const first = answer(policies, sides)
  if (first.yes) return { ...basis, ...consent(first) }
  // What policy cannot say or keep is for its author to mend, not for the asker to walk around.
  if (first.cause === 'policy-error' || first.cause === 'needs-gateway') return { ...basis, ...refusal(first) }
  const probe = probeWithin(policyLimits.counterfactuals, policies, sides)
  const facts = changeable(policies, sides)
  return { ...basis, ...(stepUp(probe, facts, first) ?? refusal(first, findRemedies(probe, facts))) }
}

type Said<D extends Decision> = D extends Decision ? Omit<D, 'id' | 'policyVersion' | 'signals'> : never

const signalUse = (signal: Question['signals'][number], { now }: Question): SignalUse => ({
  name: signal.name,
  source: signal.source,
  ageMillis: now - signal.observedAt,
  fresh: isFresh(signal, now),
})

/** An agent is asked for together with all it acts for, each with its own groups and the signals about itself. */
function sidesOf(question: Question): readonly Side[] | { readonly unfit: string } {
  const time = localTime(question)
  if (!time) return { unfit: 'The time or the time zone of the question does not exist.' }
  const unfit = unfitness(question)
  if (unfit !== undefined) return { unfit }
  const { principal } = question
  if (principal.kind !== 'agent') return [{ facts: factsOf(question, principal, time) }]
  return chainOf(principal).map((one, index) => ({
    name: index === 0 ? 'the agent' : sideNames[one.kind],
    facts: factsOf(question, one, time),
  }))
}

const sideNames: Record<Principal['kind'], string> = {
  user: 'its user',
  service: 'its service',
  agent: 'the agent that it acts for',
}

function consent({ paths, obligations }: Yes): Said<Permit> | Said<NeedsApproval> {
  const policies = sortedUnion(...paths.map((path) => path.policies))
  const [first] = paths
  const held = heldTo(obligations)
  return first?.stages.length === 0
    ? {
        outcome: 'permit',
        maxDuration: first.maxDuration,
        policies,
        obligations,
        reasons: [permittedBy(policies), ...held],
      }
    : { outcome: 'approve', paths, policies, obligations, reasons: [...paths.map(needsApproval), ...held] }
}

const refusal = ({ cause, policies, reasons }: No, remedies: Said<Deny>['remedies'] = []): Said<Deny> => ({
  outcome: 'deny',
  cause,
  policies,
  reasons,
  remedies,
})

/** Asks again with changed facts, until so many evaluations are spent. */
function probeWithin(evaluations: number, policies: PolicySet, sides: readonly Side[]): Probe {
  let left = evaluations
  return (changes: readonly Change[]): Answer | undefined => {
    left -= sides.length
    if (left < 0) return undefined
    return answer(
      policies,
      sides.map((side) => ({ ...side, facts: withChanges(side.facts, changes) })),
    )
  }
}

/** Where stronger authentication alone is enough, it is asked for instead of a refusal. */
function stepUp(probe: Probe, facts: readonly Alternatives[], refused: No): Said<NeedsStepUp> | undefined {
  if (!facts.includes(authenticationChanges)) return undefined
  for (const change of authenticationChanges) {
    const then = probe([change])
    if (change.fact === 'authentication' && then?.yes) return needsStepUp(change.need, refused, then)
  }
  return undefined
}

const needsStepUp = (need: AuthenticationNeed, refused: No, then: Yes): Said<NeedsStepUp> => ({
  outcome: 'step-up',
  need,
  policies: sortedUnion(refused.policies, ...then.paths.map((path) => path.policies)),
  reasons: [sentence([authenticationWords[need]]), ...refused.reasons],
})

function changeable(policies: PolicySet, sides: readonly Side[]): readonly Alternatives[] {
  const concerned = sides.flatMap(({ facts }) => concernedBy(policies, facts))
  const [side] = sides
  return side ? changesWorthTrying(concerned, side.facts) : []
}
