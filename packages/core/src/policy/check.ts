/** What can only be seen of parsed policies together, or with the schema and the groups at hand. */

import type { ValidationError } from '@cedar-policy/cedar-wasm/nodejs'
import { validate } from '@cedar-policy/cedar-wasm/nodejs'
import type { ObligationKind } from '../obligation.ts'
import { obligationKinds } from '../obligation.ts'
import type { ParsedPolicy } from './parse.ts'
import type { Policy } from './policy.ts'
import type { PolicyProblem } from './problem.ts'
import { compareText, didYouMean, problemIn } from './problem.ts'
import { placeOf } from './read.ts'
import { policySchema } from './schema.ts'
import { offsetOfByte } from './source.ts'
import { asSentence } from './words.ts'

/** Strict validation. A warning counts as an error: a policy that can never hold is a slip, and a slip in a forbid opens. */
export function schemaProblems(parsed: readonly ParsedPolicy[]): PolicyProblem[] {
  const staticPolicies = Object.fromEntries(parsed.map(({ source }, position) => [String(position), source.text]))
  const answer = validate({ schema: policySchema, policies: { staticPolicies } })
  // Each policy parsed before, so there is no way here that a better file would help.
  if (answer.type === 'failure') throw new Error(answer.errors.map((error) => error.message).join('; '))
  const errors = onePerPlace(answer.validationErrors)
  const warnings = answer.validationWarnings.filter((warning) => !isMixedScript(warning))
  const erring = new Set(errors.map((error) => error.policyId))
  // Cedar's first warning about a policy says why; the ones after it only what follows.
  const firstOf = new Map(warnings.toReversed().map((warning) => [warning.policyId, warning]))
  const alone = [...firstOf.values()].filter((warning) => !erring.has(warning.policyId))
  return [...errors, ...alone].flatMap((error) => {
    const policy = parsed[Number(error.policyId)]
    return policy ? [schemaProblem(policy, error)] : []
  })
}

/** A policy for any action is checked for each, and what is wrong with it is wrong once: of `access`, where it is of that. */
const onePerPlace = (errors: readonly ValidationError[]): ValidationError[] => {
  const last = errors.toSorted((a, b) => compareText(b.error.message, a.error.message))
  return [...new Map(last.map((error) => [errorKey(error), error])).values()]
}

const errorKey = ({ policyId, error }: ValidationError): string =>
  JSON.stringify([policyId, error.sourceLocations?.[0]?.start ?? error.message])

/** Cedar complains of any label in two scripts, such as `команда=payments`; `lookalikes` is our narrower rule. */
const isMixedScript = ({ error }: ValidationError): boolean => error.message.endsWith('contains mixed scripts')

function schemaProblem({ file, source, id }: ParsedPolicy, { error }: ValidationError): PolicyProblem {
  const [place] = error.sourceLocations ?? []
  const at = place ? source.start + offsetOfByte(source.text, place.start) : source.head
  return problemIn(file, {
    at: place?.start === 0 ? source.head : at,
    id,
    message: asSentence(withoutNumber(error.message)),
    remedy: asSentence(withoutNumber(error.help ?? (error.severity === 'warning' ? neverHolds : unfitting))),
  })
}

const neverHolds = 'as written it never holds: correct its scope or its condition, or remove it'
const unfitting = 'change it to fit the schema of policies'

const withoutNumber = (text: string): string => text.replaceAll(/for policy `\d+`, /g, '')

const word = /\p{L}+/gu
const latin = /\p{Script=Latin}/u
const like = /[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}]/u

/** Words that mix Latin letters with ones that look like them: `prоduction` with a Cyrillic `о` never matches. */
export const lookalikes = ({ file, source, id }: ParsedPolicy): PolicyProblem[] =>
  source.strings.flatMap(({ text, at }) =>
    [...text.matchAll(word)]
      .filter(([letters]) => latin.test(letters) && like.test(letters))
      .map(({ 0: letters, index }) =>
        problemIn(file, {
          at: at + index,
          id,
          message: `"${letters}" mixes letters of different alphabets that look alike.`,
          remedy: 'Type the word anew in one alphabet.',
        }),
      ),
  )

export function duplicateProblems(read: readonly { parsed: ParsedPolicy; policy: Policy }[]): PolicyProblem[] {
  const first = new Map<string, Policy>()
  return read.flatMap(({ parsed, policy }) => {
    const earlier = first.get(policy.id)
    if (!earlier) {
      first.set(policy.id, policy)
      return []
    }
    const fault = {
      at: placeOf(parsed, 'id'),
      id: policy.id,
      message: `The id ${policy.id} is taken by the policy at ${earlier.path}:${earlier.line}.`,
      remedy: 'Give one of them another id.',
    }
    return [problemIn(parsed.file, fault)]
  })
}

const roles = new Set(['manager', 'owner'])

/** Groups named as approvers or in the scope of the principal that do not exist. */
export function groupProblems(known: ReadonlySet<string>, parsed: ParsedPolicy, policy?: Policy): PolicyProblem[] {
  const approvers = policy?.effect === 'permit' ? policy.stages.flatMap((stage) => stage.approvers) : []
  const strangers = [...new Set(approvers)].filter((spec) => !roles.has(spec) && !known.has(spec))
  const annotation = placeOf(parsed, parsed.json.annotations?.['stages'] === undefined ? 'approvers' : 'stages')
  const scoped = scopeGroup(parsed)
  return [
    ...strangers.map((group) => unknownGroup(parsed, group, annotation)),
    ...(scoped === undefined || known.has(scoped) ? [] : [unknownGroup(parsed, scoped, scopePlace(parsed))]),
  ]
}

const unknownGroup = ({ file, id }: ParsedPolicy, group: string, at: number): PolicyProblem =>
  problemIn(file, {
    at,
    id,
    message: `There is no group ${group}.`,
    remedy: 'Name an existing group, or create it first.',
  })

function scopeGroup({ json: { principal } }: ParsedPolicy): string | undefined {
  const inside = principal.op === 'is' ? principal.in : principal
  if (!inside || !('entity' in inside)) return undefined
  const uid = '__entity' in inside.entity ? inside.entity['__entity'] : inside.entity
  return uid.type === 'Group' ? uid.id : undefined
}

/** The first string after the head: the scope of the principal comes first, and it has one. */
const scopePlace = ({ source }: ParsedPolicy): number => source.strings[0]?.at ?? source.head

type KnownObligations = Readonly<Record<ObligationKind, ReadonlySet<string>>>

/** Names in `@guard`, `@mask` and `@record` that the configuration does not declare. */
export function obligationProblems(known: KnownObligations, parsed: ParsedPolicy, policy: Policy): PolicyProblem[] {
  const obligations = policy.effect === 'permit' ? policy.obligations : []
  return obligations
    .filter(({ kind, name }) => !known[kind].has(name))
    .map(({ kind, name }) => {
      const meant = didYouMean(name, [...known[kind]])
      const remedy = meant === undefined ? `Declare it under ${obligationKinds[kind]}.` : `Did you mean ${meant}?`
      return problemIn(parsed.file, {
        at: placeOf(parsed, kind),
        id: parsed.id,
        message: `@${kind} names ${name}, which is not declared.`,
        remedy,
      })
    })
}
