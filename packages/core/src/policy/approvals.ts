/** How far approvals have come along a path. Pure counting: who is eligible was established when each one approved. */

import type { ApprovalPath } from '../decision.ts'
import { compareText } from './problem.ts'

export type CountedApproval = {
  /** Id of the user. */
  readonly approver: string
  /** What the user was eligible as when approving: group ids, `manager`, `owner`. */
  readonly as: readonly string[]
}

export type PathProgress = {
  readonly satisfied: boolean
  /** Position of the stage that is open; the number of stages once satisfied. */
  readonly stage: number
  /** How many more people the open stage needs; 0 once satisfied. */
  readonly remaining: number
  /** Who can act now; empty once satisfied. */
  readonly waitingFor: readonly string[]
}

/**
 * Takes the approvals in the order given. Each counts for the stage open at its turn, where the approver is eligible
 * for it; a person counts once on the whole path. One that does not count leaves the person free to approve later.
 */
export function pathProgress(path: ApprovalPath, approvals: readonly CountedApproval[]): PathProgress {
  const counted = new Set<string>()
  let stage = 0
  let given = 0
  for (const { approver, as } of approvals) {
    const open = path.stages[stage]
    if (!open || counted.has(approver) || !as.some((spec) => open.approvers.includes(spec))) continue
    counted.add(approver)
    given++
    if (given >= open.count) {
      stage++
      given = 0
    }
  }
  const open = path.stages[stage]
  if (!open) return { satisfied: true, stage, remaining: 0, waitingFor: [] }
  return { satisfied: false, stage, remaining: open.count - given, waitingFor: open.approvers }
}

/** The path that was satisfied first in time; of several at once, the first of the list. */
export function firstSatisfied(
  paths: readonly ApprovalPath[],
  approvals: readonly CountedApproval[],
): ApprovalPath | undefined {
  for (let given = 0; given <= approvals.length; given++) {
    const soFar = approvals.slice(0, given)
    const path = paths.find((one) => pathProgress(one, soFar).satisfied)
    if (path) return path
  }
  return undefined
}

/** Who can act now on any of the paths, sorted. */
export const openSpecs = (paths: readonly ApprovalPath[], approvals: readonly CountedApproval[]): readonly string[] =>
  [...new Set(paths.flatMap((path) => pathProgress(path, approvals).waitingFor))].toSorted(compareText)
