/**
 * The life of a grant, as data. The server enforces it, the database refuses anything else
 * (`grant_transition`, kept equal by a test), and the console, the command line and the docs read it.
 */

import { stepsOf, type Transition } from '../transitions.ts'

export const grantStates = ['scheduled', 'ready', 'provisioning', 'active', 'ending', 'ended'] as const
export type GrantState = (typeof grantStates)[number]

export type GrantTransition = Transition<GrantState>

export const grantTransitions = [
  { from: 'scheduled', to: 'ready', when: 'its start time is reached' },
  { from: 'scheduled', to: 'ended', when: 'it is ended before it could start; nothing was opened' },
  { from: 'ready', to: 'provisioning', when: 'its holder activates it; the clock starts' },
  { from: 'ready', to: 'ended', when: 'it is ended or lapses unused; nothing was opened' },
  { from: 'provisioning', to: 'active', when: 'the target says the credential works' },
  { from: 'provisioning', to: 'ready', when: 'opening failed and certainly left nothing; its holder may try again' },
  { from: 'provisioning', to: 'ending', when: 'it is ended, or opening failed and may have left something' },
  { from: 'provisioning', to: 'ended', when: 'opening failed and certainly left nothing' },
  { from: 'active', to: 'ending', when: 'time is up, the task is done, it is revoked, or a fact changed' },
  { from: 'ending', to: 'ended', when: 'the target was read back and nothing of it is left' },
] as const satisfies readonly GrantTransition[]

export const grantMayGo = stepsOf<GrantState>(grantTransitions)

/** Something of the grant may exist on the target. */
export const isLive = (state: GrantState): boolean =>
  state === 'provisioning' || state === 'active' || state === 'ending'

/** How the end of a grant that is open moves, by the entry that says so. Its state stays. */
export const endMoves = [
  { entry: 'grant.shortened', to: 'sooner', when: 'policy gives less than it did, for what the grant rests on' },
  {
    entry: 'grant.extended',
    to: 'later',
    when: 'its holder asked for that anew, and it was approved; counted from then',
  },
] as const

/** Why grants end. `lapsed` and `open-failed` never had a usable credential. */
export const endReasons = {
  expired: 'its time was up',
  done: 'its holder was done',
  'task-ended': 'the task it was for ended',
  revoked: 'someone revoked it',
  'fact-changed': 'a fact changed and the answer is no longer yes',
  'policy-changed': 'policy changed and the answer is no longer yes',
  'resource-changed':
    'the resource was removed, points to another target, or may only be reached through a gateway by now',
  lapsed: 'it was not activated in time',
  'open-failed': 'the target could not be opened',
} as const

export type EndReason = keyof typeof endReasons
