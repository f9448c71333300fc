/** A question as facts that policies can read. What is missing, stale or malformed is absent, never guessed. */

import type { Action, Authentication, Question, Step } from '../decision.ts'
import type { Principal, PrincipalKind } from '../principal.ts'
import { principalKey } from '../principal.ts'
import { isAdministration } from '../administration.ts'
import { labelKeys, roleKey } from '../resource.ts'
import type { SignalName, SignalValue } from '../signal.ts'
import { isFresh, signalKinds } from '../signal.ts'
import type { Instant, Millis } from '../time.ts'
import { formatInstant } from '../time.ts'
import type { PrincipalSignal } from './schema.ts'
import { principalSignals } from './schema.ts'

export type Uid = { readonly type: string; readonly id: string }

/** How someone proved who they are, in the words of policies. */
export type Proof = {
  readonly method: string
  readonly mfa: boolean
  readonly phishing_resistant: boolean
  readonly age: number
  readonly run?: string
}

/** The context of the schema. */
export type FactContext = {
  readonly now: { readonly __extn: { readonly fn: 'datetime'; readonly arg: string } }
  readonly time: LocalTime
  readonly duration: number
  readonly ticket?: { readonly id: string; readonly open: boolean }
  readonly task?: string
  readonly authentication: Proof
  readonly step: Step
  readonly approver?: Proof
} & { readonly [K in PrincipalSignal]?: SignalValue }

/** Everything one evaluation depends on. */
export type Facts = {
  readonly action: Action
  readonly principal: Uid
  readonly groups: readonly Uid[]
  readonly role: Uid
  readonly roleAttributes: { readonly name: string; readonly risk: string }
  readonly resource: Uid
  readonly resourceAttributes: { readonly kind: string }
  readonly labels: readonly Uid[]
  readonly duration: Millis
  /** Whether sessions can be held to anything. */
  readonly isGated: boolean
  /** It is a role of Tidegate itself. */
  readonly isAdministration: boolean
  readonly context: FactContext
}

const entityTypes: Record<PrincipalKind, string> = { user: 'User', service: 'Service', agent: 'Agent' }

/** @param time the question's, from `localTime`: it costs as much as an evaluation, and serves every side */
export function factsOf(question: Question, principal: Principal, time: LocalTime): Facts {
  const { role, resource, duration } = question
  return {
    action: question.action ?? 'access',
    principal: { type: entityTypes[principal.kind], id: principal.id },
    groups: principal.groups.map((id) => ({ type: 'Group', id })),
    role: { type: 'Role', id: roleKey(role) },
    roleAttributes: { name: role.name, risk: role.risk },
    resource: { type: 'Resource', id: resource.id },
    resourceAttributes: { kind: resource.kind },
    labels: labelKeys(resource).map((id) => ({ type: 'Label', id })),
    duration,
    isGated: resource.gateway === 'required',
    isAdministration: isAdministration(resource),
    context: contextOf(question, principal, time),
  }
}

/** Whole seconds, rounded up: neither a duration nor an age looks smaller than it is. */
export const wholeSeconds = (millis: number): number => Math.ceil(millis / 1_000)

function contextOf(question: Question, principal: Principal, time: LocalTime): FactContext {
  const { now, duration, ticket, task, authentication, step, approver } = question
  return {
    now: { __extn: { fn: 'datetime', arg: formatInstant(now) } },
    time,
    duration: wholeSeconds(duration),
    ...(ticket !== undefined && { ticket: { id: ticket, open: isTicketOpen(question, ticket) } }),
    ...(task !== undefined && { task }),
    authentication: proofOf(authentication, now),
    step,
    ...(approver && { approver: proofOf(approver, now) }),
    ...signalsAbout(question, principalKey(principal)),
  }
}

const proofOf = ({ method, mfa, phishingResistant, at, run }: Authentication, now: Instant): Proof => ({
  method,
  mfa,
  phishing_resistant: phishingResistant,
  age: wholeSeconds(now - at),
  ...(run !== undefined && { run }),
})

const isTicketOpen = (question: Question, ticket: string): boolean =>
  currentSignal(question, 'ticket', `ticket:${ticket}`)?.['open'] === true

function signalsAbout(question: Question, subject: string): { readonly [K in PrincipalSignal]?: SignalValue } {
  return Object.fromEntries(
    principalSignals.flatMap((name) => {
      const value = currentSignal(question, name, subject)
      return value ? [[name, value]] : []
    }),
  )
}

/** The newest fresh one. Where equally new ones disagree, or the newest is malformed, there is none. */
function currentSignal(question: Question, name: SignalName, subject: string): SignalValue | undefined {
  const fresh = question.signals.filter((s) => s.name === name && s.subject === subject && isFresh(s, question.now))
  const newest = fresh.reduce((latest, signal) => Math.max(latest, signal.observedAt), -Infinity)
  const values = fresh.filter((signal) => signal.observedAt === newest).map((signal) => declared(name, signal.value))
  const [first] = values
  return values.every((value) => JSON.stringify(value) === JSON.stringify(first)) ? first : undefined
}

/** Exactly the fields that the kind declares, in its order; `undefined` where one is missing or of another type. */
function declared(name: SignalName, value: SignalValue): SignalValue | undefined {
  const fields = Object.entries(signalKinds[name].fields)
  const fits = fields.every(([field, type]) => Object.hasOwn(value, field) && isOfType(value[field], type))
  return fits ? Object.fromEntries(fields.map(([field]) => [field, value[field] as SignalValue[string]])) : undefined
}

const isOfType = (value: unknown, type: string): boolean =>
  type === 'long' ? Number.isSafeInteger(value) : typeof value === type

export type LocalTime = { readonly hour: number; readonly minute: number; readonly weekday: number }

const weekdays = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

const makeForm = (timeZone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    weekday: 'short',
  })

/** The form of the zone asked for last: making one costs more than all the rest of a question's facts. */
let lastForm: { readonly timeZone: string; readonly form: Intl.DateTimeFormat } | undefined

function formOf(timeZone: string): Intl.DateTimeFormat {
  if (lastForm?.timeZone !== timeZone) lastForm = { timeZone, form: makeForm(timeZone) }
  return lastForm.form
}

/** `undefined` for a zone or an instant that does not exist. */
export function localTime({ now, timeZone }: Pick<Question, 'now' | 'timeZone'>): LocalTime | undefined {
  try {
    const parts = formOf(timeZone).formatToParts(now)
    const read = (type: string): string => parts.find((part) => part.type === type)?.value ?? ''
    const weekday = weekdays.indexOf(read('weekday')) + 1
    return { hour: Number(read('hour')), minute: Number(read('minute')), weekday }
  } catch (fault) {
    if (fault instanceof RangeError) return undefined
    throw fault
  }
}

/** Questions that have no honest answer. Each would otherwise be answered for something that was not asked. */
const unfit: readonly { readonly when: (question: Question) => boolean; readonly message: string }[] = [
  {
    when: ({ role, resource }) => role.resource !== resource.id,
    message: 'The role asked for is not a role on this resource.',
  },
  {
    // `a` + `b/c` and `a/b` + `c` would be one role to a policy.
    when: ({ role }) => role.name.includes('/'),
    message: 'The name of the role has a slash in it.',
  },
  {
    when: ({ resource }) => Object.keys(resource.labels).some((key) => key.includes('=')),
    message: 'A label of the resource has an equals sign in its key.',
  },
  {
    when: ({ duration }) => !Number.isSafeInteger(duration) || duration <= 0,
    message: 'The duration asked for is not a positive whole number of milliseconds.',
  },
  {
    when: ({ authentication, approver = authentication, now }) => !(authentication.at <= now && approver.at <= now),
    message: 'The authentication is dated in the future.',
  },
]

/** Why the question cannot be asked; `undefined`: it can. */
export const unfitness = (question: Question): string | undefined => unfit.find(({ when }) => when(question))?.message
