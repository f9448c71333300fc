/** The longest a grant may be, now. */

import type { Approval, Millis } from '@tidegate/core'
import { requestCommands } from '@tidegate/core'
import type { Snapshot } from '../configuration/snapshot.ts'
import type { Asked, Answered } from './question.ts'

export type Allowance = Answered & {
  /** At most the duration asked for. `undefined`: not permitted at any length. */
  readonly allowed: Millis | undefined
}

type AskOnce = (asked: Asked) => Answered

/**
 * Asks for what the grant is for, and when policy no longer gives that long, for the longest it does: policy that was
 * lowered since the approval lowers the grant, and only a real "no" refuses it.
 */
export function mostAllowed(
  asked: Asked,
  { snapshot, approvals, askOnce }: { snapshot: Snapshot; approvals: readonly Approval[]; askOnce: AskOnce },
): Allowance {
  const first = askOnce(asked)
  for (const duration of [asked.duration, ...shorterLimits(snapshot, asked.duration)]) {
    const answered = duration === asked.duration ? first : askOnce({ ...asked, duration })
    const allowed = requestCommands.allowedBy(answered.decision, approvals)
    if (allowed !== undefined) return { ...answered, allowed: Math.min(allowed, duration) as Millis }
  }
  return { ...first, allowed: undefined }
}

/** The limits that policies name below this one, longest first. */
function shorterLimits(snapshot: Snapshot, duration: Millis): Millis[] {
  const limits = new Set<Millis>()
  for (const policy of snapshot.policies.policies) {
    if (policy.effect === 'permit' && policy.maxDuration < duration) limits.add(policy.maxDuration)
  }
  return [...limits].toSorted((a, b) => b - a)
}
