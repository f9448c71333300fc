/** Paths to a yes: which are the same, which need fewer people, and how two people's paths become one. */

import type { ApprovalPath, Stage } from '../decision.ts'
import type { Millis } from '../time.ts'
import { policyLimits } from './limits.ts'
import { compareText } from './problem.ts'

const stagesKey = (stages: readonly Stage[]): string => JSON.stringify(stages.map((s) => [s.approvers, s.count]))
const peopleNeeded = ({ stages }: ApprovalPath): number => stages.reduce((sum, stage) => sum + stage.count, 0)

/**
 * Without repeats and in a fixed order, the fewest people first. Of paths that ask the same people the longest counts.
 * Where one needs nobody, only that one: no one is asked for what is free.
 */
export function orderPaths(paths: readonly ApprovalPath[]): readonly ApprovalPath[] {
  const byStages = new Map<string, ApprovalPath>()
  for (const path of paths) {
    const key = stagesKey(path.stages)
    const same = byStages.get(key)
    byStages.set(key, same ? longer(same, path) : path)
  }
  const free = byStages.get(stagesKey([]))
  return free ? [free] : [...byStages.values()].toSorted(byEffort).slice(0, policyLimits.paths)
}

function longer(a: ApprovalPath, b: ApprovalPath): ApprovalPath {
  if (a.maxDuration !== b.maxDuration) return a.maxDuration > b.maxDuration ? a : b
  return { ...a, policies: sortedUnion(a.policies, b.policies) }
}

const byEffort = (a: ApprovalPath, b: ApprovalPath): number =>
  peopleNeeded(a) - peopleNeeded(b) ||
  a.stages.length - b.stages.length ||
  compareText(stagesKey(a.stages), stagesKey(b.stages))

/** What satisfies one of `a` and one of `b`. People are distinct across all stages of a path, so stages add up. */
export const bothPaths = (a: readonly ApprovalPath[], b: readonly ApprovalPath[]): readonly ApprovalPath[] =>
  orderPaths(a.flatMap((one) => b.map((other) => joinPaths(one, other))))

const joinPaths = (a: ApprovalPath, b: ApprovalPath): ApprovalPath => ({
  policies: sortedUnion(a.policies, b.policies),
  stages: stagesKey(a.stages) === stagesKey(b.stages) ? a.stages : [...a.stages, ...b.stages],
  maxDuration: Math.min(a.maxDuration, b.maxDuration) as Millis,
})

export const sortedUnion = (...lists: readonly (readonly string[])[]): readonly string[] =>
  [...new Set(lists.flat())].toSorted(compareText)
