/** What a `COPY … TO STDOUT` gives: its columns, and how its rows are written. */

import { isFields, listAt, textAt, wrapped, type Fields } from '../guard/nodes.ts'
import { armsIn } from './outputs.ts'
import type { MaskMethod } from './rules.ts'
import { type Surroundings, tableOf, taintOf } from './taint.ts'
import { namesIn } from './tree.ts'

export type CopyForm = {
  readonly delimiter: string
  /** How the absence of a value is written. */
  readonly absent: string
  /** Absent: backslashes, and no quotes. */
  readonly csv?: { readonly quote: string; readonly escape: string }
  readonly hasHeader: boolean
}

export type CopyPlan = {
  /** Why its rows cannot be read, if they cannot. */
  readonly form: CopyForm | { readonly problem: string }
  /** By place. Shorter than the row: the rest is not masked. */
  readonly columns: readonly (MaskMethod | undefined)[]
}

/** What is copied is tainted, and cannot be told apart. */
export type CopyProblem = { readonly problem: string }

export function readCopy(copy: Fields, surroundings: Surroundings): CopyPlan | CopyProblem {
  const form = formOf(copy)
  const columns = isFields(copy['query']) ? queryColumns(copy['query'], surroundings) : tableColumns(copy, surroundings)
  if ('problem' in columns) return columns
  if ('problem' in form && columns.methods.some((method) => method !== undefined)) return form
  return { form, columns: columns.methods }
}

type Columns = { readonly methods: readonly (MaskMethod | undefined)[] } | CopyProblem

const nameThem: CopyProblem = { problem: 'COPY of all columns at once cannot be masked' }

function queryColumns(query: Fields, surroundings: Surroundings): Columns {
  const taint = taintOf(query, surroundings)
  if (!taint.isTainted(0)) return { methods: [] }
  const arms = armsIn(taint)
  if (arms.some((arm) => arm === undefined || arm.some(({ star }) => star !== 'none'))) return nameThem
  const length = Math.max(0, ...arms.map((arm) => arm?.length ?? 0))
  const isMasked = (at: number): boolean => arms.some((arm) => arm?.[at]?.isTainted === true)
  return { methods: Array.from({ length }, (_, at) => (isMasked(at) ? 'full' : undefined)) }
}

/** A table's own columns: what rules say of them holds as it is. */
function tableColumns(copy: Fields, surroundings: Surroundings): Columns {
  const { relation } = copy
  if (!isFields(relation)) return { methods: [] }
  const taint = taintOf({ RangeVar: relation }, surroundings)
  if (!taint.touches) return { methods: [] }
  const names = namesIn(copy['attlist'])
  if (names.length === 0) return nameThem
  const known = surroundings.relations(tableOf(relation))
  const methodOf = (name: string): MaskMethod | undefined => {
    const methods = new Set(known.flatMap((table) => table.columns.get(name)?.by ?? []))
    if (methods.size === 1) return [...methods][0]
    return methods.size > 1 || taint.isTaintedName(name) ? 'full' : undefined
  }
  return { methods: names.map(methodOf) }
}

const knownOptions = ['format', 'delimiter', 'null', 'header', 'quote', 'escape', 'force_quote']

function formOf(copy: Fields): CopyPlan['form'] {
  const options = listAt(copy, 'options').map((option) => wrapped(option)?.fields ?? {})
  const strange = options.find((option) => !knownOptions.includes(textAt(option, 'defname') ?? ''))
  if (strange) return { problem: `COPY with the option ${textAt(strange, 'defname') ?? ''} cannot be masked` }
  const given = new Map(options.map((option) => [textAt(option, 'defname') ?? '', option['arg']]))
  const format = textOf(given.get('format')) ?? 'text'
  if (format !== 'text' && format !== 'csv') return { problem: 'COPY in a binary format cannot be masked' }
  const hasHeader = given.has('header') && isOn(given.get('header'))
  if (format === 'text') {
    return { delimiter: textOf(given.get('delimiter')) ?? '\t', absent: textOf(given.get('null')) ?? '\\N', hasHeader }
  }
  const quote = textOf(given.get('quote')) ?? '"'
  return {
    delimiter: textOf(given.get('delimiter')) ?? ',',
    absent: textOf(given.get('null')) ?? '',
    csv: { quote, escape: textOf(given.get('escape')) ?? quote },
    hasHeader,
  }
}

/** An empty text is left out of the tree. */
function textOf(value: unknown): string | undefined {
  const node = wrapped(value)
  return node?.type === 'String' ? (textAt(node.fields, 'sval') ?? '') : undefined
}

/** `HEADER` alone is on; so is whatever is not plainly off, since a first row that is a header is not masked. */
function isOn(value: unknown): boolean {
  const node = wrapped(value)
  if (node === undefined) return true
  if (node.type === 'Boolean') return node.fields['boolval'] === true
  if (node.type === 'Integer') return node.fields['ival'] === 1
  return ['true', 'on'].includes((textOf(value) ?? '').toLowerCase())
}

/** Whether a statement gives rows by COPY. */
export function isCopying(statement: Fields): boolean {
  const node = wrapped(statement)
  return node?.type === 'CopyStmt' && node.fields['is_from'] !== true && node.fields['filename'] === undefined
}

/** Where no column is masked by its name. */
export const readCopiesOnly = (statement: Fields): CopyPlan => ({
  form: formOf(wrapped(statement)?.fields ?? {}),
  columns: [],
})
