/** What becomes of a statement in its session, and what that makes of the question that was asked about it. */

import { statementMayGo, type StatementStatus } from './transitions.ts'

/** As its gateway tells it. `run`: let through to the target, whatever came of it there. */
export const statementOutcomes = ['run', 'refused', 'timed-out', 'cancelled', 'session-ended', 'not-here'] as const
export type StatementOutcome = (typeof statementOutcomes)[number]

export type StatementStanding = {
  readonly status: StatementStatus
  /** A person said yes, whatever has come of it since. */
  readonly isApproved: boolean
}

/** The same status: nothing follows from it. `undefined`: it cannot be so, as nobody has approved it. */
export function statusAfter(
  { status, isApproved }: StatementStanding,
  outcome: StatementOutcome,
): StatementStatus | undefined {
  if (outcome === 'run') return isApproved ? 'run' : undefined
  // Whatever kept an approved statement from being run. Nobody but a person denies one.
  const to = outcome === 'timed-out' && status === 'pending' ? 'expired' : 'abandoned'
  return statementMayGo(status, to) ? to : status
}
