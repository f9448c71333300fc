/** Where only a stronger or fresher proof is missing, and whoever calls can give it. */

import { ApiError } from '@tidegate/api'
import type { Decision, NeedsStepUp } from '@tidegate/core'
import type { Caller } from '../identity/identity.ts'

/** A person, through a login, which can become stronger. A token stays what it is, and so does what a machine proved. */
export const canStepUp = ({ login, principal }: Caller): boolean => login !== undefined && principal.kind === 'user'

export const stepUpNeeded = (decision: NeedsStepUp): ApiError =>
  new ApiError('step-up-needed', { detail: decision.reasons[0] ?? 'Sign in again.', decision })

/** A no to what was asked for, or what to do first. */
export const policyRefuses = (caller: Caller, decision: Decision): ApiError =>
  decision.outcome === 'step-up' && canStepUp(caller)
    ? stepUpNeeded(decision)
    : new ApiError('policy-refuses', { detail: decision.reasons[0] ?? 'Policy says no.', decision })
