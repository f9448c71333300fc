/** Changes of one fact: what they would be worth trying, what they do to the facts, and how they are said. */

import type { AuthenticationNeed, Change } from '../decision.ts'
import type { SignalName, SignalValue } from '../signal.ts'
import { signalKinds } from '../signal.ts'
import type { Millis } from '../time.ts'
import { formatDuration } from '../time.ts'
import type { FactContext, Facts, Proof } from './facts.ts'
import { wholeSeconds } from './facts.ts'
import { policyLimits } from './limits.ts'
import type { Policy } from './policy.ts'
import type { PrincipalSignal } from './schema.ts'
import { principalSignals } from './schema.ts'
import { authenticationWords } from './words.ts'

type Wish = {
  readonly value: SignalValue
  readonly words: string
  /** Whether it is the asker's to change; the others are listed last. */
  readonly chosen: boolean
}

/** Per kind of signal, the value that policies are likely to want. */
const wishes: Record<PrincipalSignal, Wish> = {
  device: { value: { compliant: true, managed: true }, words: 'use a managed, compliant device', chosen: true },
  network: { value: { trusted: true }, words: 'connect from a trusted network', chosen: true },
  risk: { value: { level: 'low' }, words: 'have your risk level back at low', chosen: false },
  oncall: { value: { active: true }, words: 'be on call', chosen: false },
}

/** Ways to change one and the same fact, the mildest first: at most one of them is asked for. */
export type Alternatives = readonly Change[]

export const authenticationChanges: Alternatives = [
  { fact: 'authentication', need: 'mfa' },
  { fact: 'authentication', need: 'phishing-resistant' },
]

/** What could matter to these policies; a fact that none of them mentions cannot. */
export function changesWorthTrying(policies: readonly Policy[], { duration, context }: Facts): readonly Alternatives[] {
  const mentioned = (fact: string): boolean => policies.some((policy) => policy.text.includes(fact))
  const signals = principalSignals.filter(mentioned)
  return [
    shorterDurations(policies, duration),
    mentioned('ticket') ? [{ fact: 'ticket' } as const] : [],
    ...signals.filter((name) => wishes[name].chosen).map(signalChange),
    mentioned(context.approver ? 'approver' : 'authentication') ? authenticationChanges : [],
    ...signals.filter((name) => !wishes[name].chosen).map(signalChange),
  ].filter((alternatives) => alternatives.length > 0)
}

const signalChange = (name: PrincipalSignal): Alternatives => [{ fact: 'signal', name, value: wishes[name].value }]

function shorterDurations(policies: readonly Policy[], asked: Millis): Alternatives {
  const lengths = policies.flatMap((policy) => (policy.effect === 'permit' ? [policy.maxDuration] : []))
  return [...new Set(lengths)]
    .filter((length) => length < asked)
    .toSorted((a, b) => b - a)
    .slice(0, policyLimits.durationsTried)
    .map((atMost) => ({ fact: 'duration', atMost }))
}

export const withChanges = (facts: Facts, changes: readonly Change[]): Facts => changes.reduce(withChange, facts)

function withChange(facts: Facts, change: Change): Facts {
  const { context } = facts
  switch (change.fact) {
    case 'duration':
      return { ...facts, duration: change.atMost, context: { ...context, duration: wholeSeconds(change.atMost) } }
    case 'ticket':
      return { ...facts, context: { ...context, ticket: { id: context.ticket?.id ?? 'open', open: true } } }
    case 'signal':
      return { ...facts, context: { ...context, [change.name]: signalWith(context, change.name, change.value) } }
    case 'authentication':
      return { ...facts, context: { ...context, ...authenticatedNow(context, change.need) } }
  }
}

const blank = { boolean: false, string: '', long: 0 } as const

/** The fields wished for, over those known, over the least that can be said. */
function signalWith(context: FactContext, name: SignalName, value: SignalValue): SignalValue {
  const fields = Object.entries(signalKinds[name].fields).map(([field, type]) => [field, blank[type]] as const)
  const least: SignalValue = Object.fromEntries(fields)
  return { ...least, ...context[name as PrincipalSignal], ...value }
}

/** Of whoever is there to do it. While a request is answered, whoever asked is not. */
const authenticatedNow = ({ authentication, approver }: FactContext, need: AuthenticationNeed): Partial<FactContext> =>
  approver ? { approver: provenNow(approver, need) } : { authentication: provenNow(authentication, need) }

/** No more than was asked for: a second factor that happened to be phishing-resistant is not counted on. */
const provenNow = (proof: Proof, need: AuthenticationNeed): Proof => ({
  ...proof,
  mfa: true,
  phishing_resistant: need === 'phishing-resistant',
  age: 0,
})

/** A wish without capital and full stop, to be joined with others. */
export function changeWords(change: Change): string {
  switch (change.fact) {
    case 'duration':
      return `ask for at most ${formatDuration(change.atMost)}`
    case 'ticket':
      return 'name an open ticket'
    case 'signal':
      return wishes[change.name as PrincipalSignal].words
    case 'authentication':
      return authenticationWords[change.need]
  }
}
