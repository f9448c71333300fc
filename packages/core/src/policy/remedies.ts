/**
 * What would turn a no into a yes: the question asked again with one fact changed; if that never helps, with two; and
 * if that never helps either, with as many as it takes.
 */

import type { Change, Remedy } from '../decision.ts'
import type { Answer, Yes } from './answer.ts'
import type { Alternatives } from './changes.ts'
import { authenticationChanges, changeWords } from './changes.ts'
import { sentence } from './words.ts'

/** Asks with these changes; `undefined` once the budget is spent. */
export type Probe = (changes: readonly Change[]) => Answer | undefined

/** Each remedy is minimal: take one of its changes away, and the answer is no. */
export function findRemedies(probe: Probe, facts: readonly Alternatives[]): readonly Remedy[] {
  // Stronger authentication alone would be a step-up, and that was tried.
  const singles = facts
    .filter((alternatives) => alternatives !== authenticationChanges)
    .flatMap((alternatives) =>
      firstThatHelps(
        probe,
        alternatives.map((change) => [change]),
      ),
    )
  if (singles.length > 0) return singles
  const least = leastOfAll(probe, facts)
  const pairs = pairsOf(facts).flatMap((attempts) => firstThatHelps(probe, attempts))
  return pairs.length > 0 ? pairs : least
}

/** Ordered by the later fact, so that what people cannot change comes last in pairs too. */
const pairsOf = (facts: readonly Alternatives[]): readonly (readonly (readonly Change[])[])[] =>
  facts.flatMap((later, i) => facts.slice(0, i).map((first) => first.flatMap((a) => later.map((b) => [a, b]))))

function firstThatHelps(probe: Probe, attempts: readonly (readonly Change[])[]): readonly Remedy[] {
  for (const changes of attempts) {
    const answer = probe(changes)
    if (answer?.yes) return [remedy(changes, answer)]
  }
  return []
}

/** Changes everything as far as it goes, then gives back fact by fact, the last first, whatever was not needed. */
function leastOfAll(probe: Probe, facts: readonly Alternatives[]): readonly Remedy[] {
  let changes = facts.flatMap((alternatives) => alternatives.slice(-1))
  let answer = probe(changes)
  if (!answer?.yes) return []
  for (const alternatives of facts.toReversed()) {
    const others = changes.filter((change) => !alternatives.includes(change))
    const milder = [others, ...alternatives.slice(0, -1).map((change) => inOrder(facts, [...others, change]))]
    for (const attempt of milder) {
      const then = probe(attempt)
      if (!then?.yes) continue
      changes = attempt
      answer = then
      break
    }
  }
  return [remedy(changes, answer)]
}

const inOrder = (facts: readonly Alternatives[], changes: readonly Change[]): Change[] =>
  facts.flatMap((alternatives) => alternatives.filter((change) => changes.includes(change)))

const remedy = (changes: readonly Change[], { paths }: Yes): Remedy => ({
  changes,
  outcome: paths.some((path) => path.stages.length === 0) ? 'permit' : 'approve',
  text: sentence(changes.map(changeWords)),
})
