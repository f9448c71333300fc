/** A parsed policy's annotations into what the policy says; or what is wrong with them. */

import type { AnnotationName, AnnotationValues } from './annotations.ts'
import {
  annotationNames,
  policyAnnotations,
  defaultMaxDuration,
  isAnnotationName,
  obligationsIn,
  stagesOf,
} from './annotations.ts'
import type { ParsedPolicy } from './parse.ts'
import type { Policy } from './policy.ts'
import type { Fault } from './problem.ts'
import { didYouMean } from './problem.ts'
import { scopeKey } from './slice.ts'
import { positionAt } from './source.ts'

export function readPolicy(parsed: ParsedPolicy): { readonly policy: Policy } | { readonly faults: readonly Fault[] } {
  const given = Object.entries(parsed.json.annotations ?? {}) as [string, string | null][]
  const values: AnnotationValues = Object.fromEntries(given.flatMap(([name, value]) => readValue(name, value)))
  const faults = [
    ...given.flatMap(([name, value]) => annotationFault(parsed, name, value)),
    ...combinationFaults(parsed, new Set(given.map(([name]) => name))),
    ...breakGlassFaults(parsed, new Set(given.map(([name]) => name))),
  ]
  if (faults.length > 0 || values.id === undefined) return { faults }
  return { policy: policyOf(parsed, { ...values, id: values.id }) }
}

function policyOf({ file, source, json }: ParsedPolicy, values: AnnotationValues & { readonly id: string }): Policy {
  const common = {
    id: values.id,
    path: file.path,
    line: positionAt(file.text, source.start).line,
    text: source.text,
    scope: { principal: scopeKey(json.principal), resource: scopeKey(json.resource) },
  }
  return json.effect === 'forbid'
    ? { ...common, effect: 'forbid', ...(values.advice !== undefined && { advice: values.advice }) }
    : {
        ...common,
        effect: 'permit',
        stages: stagesOf(values),
        maxDuration: values.max_duration ?? defaultMaxDuration,
        obligations: obligationsIn(values),
      }
}

/** A name and its value where both are good, to be spread into the values. */
function readValue(name: string, value: string | null): [] | [[AnnotationName, unknown]] {
  const read = isAnnotationName(name) && value !== null ? policyAnnotations[name].read(value) : undefined
  return read === undefined ? [] : [[name as AnnotationName, read]]
}

function annotationFault(parsed: ParsedPolicy, name: string, value: string | null): Fault[] {
  const at = placeOf(parsed, name)
  const fault = (message: string, remedy: string): Fault[] => [{ at, id: parsed.id, message, remedy }]
  if (!isAnnotationName(name)) return fault(`There is no annotation @${name}.`, remedyForUnknown(name))
  const { on, form } = policyAnnotations[name]
  if (!(on as readonly string[]).includes(parsed.json.effect)) {
    return fault(`@${name} means nothing on a ${parsed.json.effect}.`, `Remove it: it belongs on a ${on.join(' or ')}.`)
  }
  if (value === null) return fault(`@${name} has no value.`, `Write ${form}.`)
  if (readValue(name, value).length > 0) return []
  return fault(`@${name}(${JSON.stringify(value)}) does not read.`, `Write ${form}.`)
}

function remedyForUnknown(name: string): string {
  const meant = didYouMean(name, annotationNames)
  return meant ? `Did you mean @${meant}?` : `Remove it, or use one of @${annotationNames.join(', @')}.`
}

function combinationFaults(parsed: ParsedPolicy, names: ReadonlySet<string>): Fault[] {
  const { id } = parsed
  const faults: Fault[] = []
  if (!names.has('id')) {
    faults.push({
      at: parsed.source.start,
      message: 'The policy has no @id.',
      remedy: `Write ${policyAnnotations.id.form}.`,
    })
  }
  if (names.has('approvals') && !names.has('approvers') && !names.has('stages')) {
    const message = '@approvals says how many, but no @approvers says who.'
    faults.push({ at: placeOf(parsed, 'approvals'), id, message, remedy: `Write ${policyAnnotations.approvers.form}.` })
  }
  if (names.has('stages') && (names.has('approvers') || names.has('approvals'))) {
    const message = '@stages stands beside @approvers or @approvals.'
    faults.push({ at: placeOf(parsed, 'stages'), id, message, remedy: 'Keep @stages alone, or remove it.' })
  }
  return faults
}

/** Breaking glass waits for nobody, so a permit for that alone says nothing by naming approvers. */
function breakGlassFaults(parsed: ParsedPolicy, names: ReadonlySet<string>): Fault[] {
  const { op, entity } = parsed.json.action as { op: string; entity?: unknown }
  if (op !== '==' || !JSON.stringify(entity ?? '').includes('"break-glass"')) return []
  return (['approvers', 'stages'] as const)
    .filter((name) => names.has(name))
    .map((name) => ({
      at: placeOf(parsed, name),
      id: parsed.id,
      message: `@${name} stands on a permit to break glass, which waits for nobody.`,
      remedy: 'Remove it: who looks at it afterwards is said by breakGlass.review.',
    }))
}

export const placeOf = ({ source }: ParsedPolicy, name: string): number =>
  source.annotations.find((annotation) => annotation.name === name)?.at ?? source.start
