/** An answer to the one question, in people's words. */

import { schemas } from '@tidegate/api'
import type { Output } from '@tidegate/api'
import type { Line } from '../output.ts'
import { bold, counted, listed, styled } from '../output.ts'
import { lasting } from './times.ts'

export type Decision = Output<'ask'>

export const decisionSchema = schemas.decision

/** `policy on-call-goes-straight-in`, `policies a and b`. */
export const policyWords = (policies: readonly string[]): string =>
  `${policies.length === 1 ? 'policy' : 'policies'} ${listed(policies, 'and')}`

/** Group ids as they are; the two that mean people by relation, in words. */
export const approverWords = (approvers: readonly string[]): string =>
  listed(
    approvers.map((name) => relations[name] ?? name),
    'or',
  )

const relations: Readonly<Record<string, string>> = {
  manager: 'the requester’s manager',
  owner: 'the owner of the resource',
}

type Path = Extract<Decision, { outcome: 'approve' }>['paths'][number]

/** `1 of team-leads, then 2 of security (policy prod-needs-a-lead, at most 2h)`. */
export function pathWords({ policies, stages, maxDurationSeconds }: Path): string {
  const people = stages.map(({ approvers, count }) => `${count} of ${approverWords(approvers)}`).join(', then ')
  return `${people} (${policyWords(policies)}, at most ${lasting(maxDurationSeconds)})`
}

/** Why not, and what would make it a yes. */
export function denialLines(decision: Decision): readonly Line[] {
  const remedies = decision.outcome === 'deny' ? decision.remedies : []
  return [
    ...decision.reasons.map((reason): Line => ['  ', reason]),
    ...(decision.outcome === 'deny' && decision.policies.length > 0
      ? [`  Said by ${policyWords(decision.policies)}.`]
      : []),
    ...(remedies.length > 0 ? [bold('What would make it a yes:')] : []),
    ...remedies.map(({ text, outcome }): Line => [
      '  - ',
      text,
      outcome === 'approve' ? ' Then it waits for an approval.' : '',
    ]),
  ]
}

/** `mask pii (policy contractors)`; `undefined`: nothing. */
export function heldToWords(decision: Decision): string | undefined {
  const obligations = 'obligations' in decision ? decision.obligations : []
  const words = obligations.map(({ kind, name, policies }) => `${kind} ${name} (${policyWords(policies)})`)
  return words.length === 0 ? undefined : listed(words, 'and')
}

function obligationLines(decision: Decision): readonly Line[] {
  const words = heldToWords(decision)
  return words === undefined ? [] : [`  Sessions are held to ${words}.`]
}

/** What a request would be answered. */
export function forecastLines(decision: Decision): readonly Line[] {
  switch (decision.outcome) {
    case 'permit':
      return [
        [
          styled('green', 'It would be granted'),
          ` by ${policyWords(decision.policies)}, for at most ${lasting(decision.maxDurationSeconds)}.`,
        ],
        ...obligationLines(decision),
      ]
    case 'approve':
      return [
        [styled('yellow', 'It would wait for an approval'), `, by ${counted(decision.paths.length, 'path', 'paths')}:`],
        ...decision.paths.map((path): Line => ['  - ', pathWords(path)]),
        ...obligationLines(decision),
      ]
    case 'step-up':
      return stepUpLines(decision.need)
    case 'deny':
      return [styled('red', 'It would be refused.'), ...denialLines(decision)]
  }
}

export const stepUpLines = (need: 'mfa' | 'phishing-resistant'): readonly Line[] => [
  [styled('yellow', 'Stronger authentication is needed'), `: ${authenticationWords[need]}.`],
]

const authenticationWords = {
  mfa: 'a second factor',
  'phishing-resistant': 'a phishing-resistant one, such as a passkey',
} as const
