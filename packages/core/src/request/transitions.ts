/** The life of a request, as data. As with grants, the database refuses anything else (`request_transition`). */

import { stepsOf, type Transition } from '../transitions.ts'

export const requestStatuses = ['pending', 'approved', 'denied', 'cancelled', 'expired', 'failed'] as const
export type RequestStatus = (typeof requestStatuses)[number]

export type RequestTransition = Transition<RequestStatus>

export const requestTransitions = [
  { from: 'pending', to: 'approved', when: 'policy permits it, or one of its paths is satisfied' },
  { from: 'pending', to: 'denied', when: 'policy says no, or an approver does' },
  { from: 'pending', to: 'cancelled', when: 'the requester takes it back' },
  { from: 'pending', to: 'expired', when: 'no one answered in time, or before the grant it would extend was over' },
  { from: 'approved', to: 'failed', when: 'the target could not be opened' },
] as const satisfies readonly RequestTransition[]

export const requestMayGo = stepsOf<RequestStatus>(requestTransitions)
