/** What decisions say to people. */

import type { ApprovalPath, AuthenticationNeed, Stage } from '../decision.ts'
import type { Obligation } from '../obligation.ts'
import { obligationKey } from '../obligation.ts'
import type { Millis } from '../time.ts'
import { formatDuration } from '../time.ts'
import type { PolicyError } from './evaluate.ts'
import type { ForbidPolicy } from './policy.ts'

export const permittedBy = (policies: readonly string[]): string => `Permitted by ${policies.join(', ')}.`

export const needsApproval = ({ stages }: ApprovalPath, index: number): string =>
  `${index === 0 ? 'Needs approval' : 'Or instead'}: ${stages.map(stageWords).join(', then ')}.`

const stageWords = ({ approvers, count }: Stage): string => `${count} from ${approvers.map(approverWords).join(' or ')}`

function approverWords(approver: string): string {
  if (approver === 'manager') return "the requester's manager"
  return approver === 'owner' ? 'the owner of the resource' : approver
}

export const forbiddenBy = ({ id, advice }: ForbidPolicy): string => advice ?? `Forbidden by ${id}.`

export const policyFailed = ({ policy, message }: PolicyError): string =>
  `Policy ${policy} failed (${message}), and nothing is permitted while a policy fails.`

export const evaluationFailed = (message: string): string => `The question could not be evaluated: ${message}.`

export const noPolicy = 'No policy permits this.'

export const forPeople = 'Roles of Tidegate itself are for people, not for what acts for them.'

export const unnamed = (permits: readonly { readonly id: string }[]): string =>
  `${joined(permits.map(({ id }) => id))} would permit it, and a role of Tidegate itself is given only by a policy whose scope names it: resource == Role::"tidegate/…" or resource in Resource::"tidegate".`

export const waitsForPeople = (permits: readonly { readonly id: string }[]): string =>
  `${joined(permits.map(({ id }) => id))} would wait for people, and breaking glass waits for nobody.`

export const tooLong = (asked: Millis, longest: Millis): string =>
  `${formatDuration(asked)} is too long: at most ${formatDuration(longest)} is given here.`

/** `Sessions are held to guard no-deletes and mask pii.` Nothing where they are held to nothing. */
export const heldTo = (obligations: readonly Obligation[]): readonly string[] =>
  obligations.length === 0 ? [] : [`Sessions are held to ${joined(obligations.map(obligationKey))}.`]

export const needsGateway = (obligations: readonly Obligation[]): string =>
  `Sessions have to be held to ${joined(obligations.map(obligationKey))}, which only a gateway does, and access to this resource does not lead through one. An administrator writes gateway: required there, or changes the policy.`

export const authenticationWords: Record<AuthenticationNeed, string> = {
  mfa: 'sign in again with a second factor',
  'phishing-resistant': 'sign in again with a passkey or security key',
}

/** One sentence of several wishes. */
export const sentence = (wishes: readonly string[]): string => asSentence(joined(wishes))

function joined(parts: readonly string[]): string {
  const most = parts.slice(0, -1).join(', ')
  return [...(most ? [most] : []), ...parts.slice(-1)].join(' and ')
}

/** Cedar's messages begin small and end open. */
export function asSentence(text: string): string {
  const trimmed = text.trim()
  return `${trimmed.charAt(0).toUpperCase()}${trimmed.slice(1)}${/[.?]$/.test(trimmed) ? '' : '.'}`
}
