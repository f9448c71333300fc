/** The life of a statement that a person has to approve, as data. The database refuses anything else (`statement_transition`). */

import { stepsOf, type Transition } from '../transitions.ts'

export const statementStatuses = ['pending', 'approved', 'denied', 'expired', 'abandoned', 'run'] as const
export type StatementStatus = (typeof statementStatuses)[number]

export type StatementTransition = Transition<StatementStatus>

export const statementTransitions = [
  { from: 'pending', to: 'approved', when: 'an approver says yes' },
  { from: 'pending', to: 'denied', when: 'an approver says no' },
  { from: 'pending', to: 'expired', when: 'no one answered in time' },
  { from: 'pending', to: 'abandoned', when: 'nobody waits for it any more' },
  { from: 'approved', to: 'run', when: 'its gateway let it through, once' },
  { from: 'approved', to: 'abandoned', when: 'nobody waited for it any more when its gateway heard' },
  { from: 'abandoned', to: 'run', when: 'its gateway says only now that it was let through, after it was approved' },
] as const satisfies readonly StatementTransition[]

export const statementMayGo = stepsOf<StatementStatus>(statementTransitions)
