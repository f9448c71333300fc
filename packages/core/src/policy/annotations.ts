/** The annotations a policy may carry. One row each; the loader reads them by this table and by nothing else. */

import type { Stage } from '../decision.ts'
import type { Obligation, ObligationKind } from '../obligation.ts'
import { allObligations, obligationKinds } from '../obligation.ts'
import type { Millis } from '../time.ts'
import { hours, parseDuration } from '../time.ts'
import { policyLimits as limits } from './limits.ts'

/** How long a grant from a `permit` without `@max_duration` lasts at most. */
export const defaultMaxDuration: Millis = hours(1)

type Annotation<T> = {
  readonly on: readonly ('permit' | 'forbid')[]
  /** `undefined` where the value does not read. */
  readonly read: (value: string) => T | undefined
  /** Completes "Write …". */
  readonly form: string
  readonly about: string
}

const both = ['permit', 'forbid'] as const

export const policyAnnotations = {
  id: {
    on: both,
    read: readId,
    form: `@id("lower-case-words"), at most ${limits.idLength} characters, different from every other`,
    about: 'What decisions, entries and people call the policy.',
  },
  approvers: {
    on: ['permit'],
    read: (value: string) => readApprovers(value, ','),
    form: '@approvers("team-leads, owner"): ids of groups, or manager (of the requester), or owner (of the resource)',
    about: 'Who may approve, any of them.',
  },
  approvals: {
    on: ['permit'],
    read: readCount,
    form: `@approvals("1"): how many different people, from 1 to ${limits.approvalsPerStage}`,
    about: 'How many of the approvers it takes; 1 where absent.',
  },
  stages: {
    on: ['permit'],
    read: readStages,
    form: `@stages("manager|owner:1, team-leads:2"): at most ${limits.stages}, one after the other, of different people`,
    about: 'Approvals in sequence, instead of @approvers.',
  },
  max_duration: {
    on: ['permit'],
    read: parseDuration,
    form: '@max_duration("2h"): for example 30m, 1h30m, 7d',
    about: 'The longest grant it gives; 1h where absent.',
  },
  guard: obligation('guard', 'no-deletes', 'The guards that judge the statements of its sessions, all of them.'),
  mask: obligation('mask', 'pii', 'The masks that hide what its sessions are shown, all of them.'),
  record: obligation('record', 'commit-parameters', 'How its sessions are recorded; of several, the strictest.'),
  advice: {
    on: ['forbid'],
    read: readAdvice,
    form: `@advice("Use a managed device."): one line of at most ${limits.adviceLength} characters`,
    about: 'What a person whom it refuses is told.',
  },
} as const satisfies Record<string, Annotation<unknown>>

function obligation(kind: ObligationKind, example: string, about: string) {
  const form = `@${kind}("${example}"): names that the configuration declares under ${obligationKinds[kind]}, at most ${limits.obligationNames}`
  return { on: ['permit'], read: readNames, form, about } as const
}

export type AnnotationName = keyof typeof policyAnnotations
export const annotationNames = Object.keys(policyAnnotations) as AnnotationName[]
export const isAnnotationName = (name: string): name is AnnotationName => Object.hasOwn(policyAnnotations, name)

export type AnnotationValues = {
  readonly [K in AnnotationName]?: Exclude<ReturnType<(typeof policyAnnotations)[K]['read']>, undefined>
}

/** What `@guard`, `@mask` and `@record` of one policy ask of sessions. */
export const obligationsIn = (values: AnnotationValues & { readonly id: string }): readonly Obligation[] =>
  allObligations(
    (Object.keys(obligationKinds) as ObligationKind[]).flatMap((kind) =>
      (values[kind] ?? []).map((name) => ({ kind, name, policies: [values.id] })),
    ),
  )

/** The stages that `@stages`, or `@approvers` and `@approvals`, ask for. */
export function stagesOf({ stages, approvers, approvals }: AnnotationValues): readonly Stage[] {
  if (stages) return stages
  return approvers ? [{ approvers, count: approvals ?? 1 }] : []
}

const idForm = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

function readId(value: string): string | undefined {
  return idForm.test(value) && value.length <= limits.idLength ? value : undefined
}

/** Sorted and without repeats: their order means nothing. */
function readApprovers(value: string, separator: ',' | '|'): readonly string[] | undefined {
  const names = value.split(separator).map((name) => name.trim())
  if (names.length > limits.approversPerStage) return undefined
  return names.every((name) => name !== '' && !/[,|]/.test(name)) ? [...new Set(names)].toSorted() : undefined
}

/** Sorted and without repeats: all of them hold. */
function readNames(value: string): readonly string[] | undefined {
  const names = value.split(',').map((name) => name.trim())
  if (names.length > limits.obligationNames) return undefined
  return names.every((name) => /^[a-z][a-z0-9-]*$/.test(name)) ? [...new Set(names)].toSorted() : undefined
}

function readCount(value: string): number | undefined {
  const count = /^[1-9]\d?$/.test(value) ? Number(value) : Infinity
  return count <= limits.approvalsPerStage ? count : undefined
}

function readStages(value: string): readonly Stage[] | undefined {
  const stages = value.split(',').map(readStage)
  return stages.length <= limits.stages && stages.every((stage) => stage !== undefined) ? stages : undefined
}

function readStage(text: string): Stage | undefined {
  const colon = text.lastIndexOf(':')
  if (colon < 0) return undefined
  const approvers = readApprovers(text.slice(0, colon), '|')
  const count = readCount(text.slice(colon + 1).trim())
  return approvers && count !== undefined ? { approvers, count } : undefined
}

function readAdvice(value: string): string | undefined {
  const text = value.trim()
  return text !== '' && text.length <= limits.adviceLength && !/\p{Cc}/u.test(text) ? text : undefined
}
