/** What a mask may be told, in configuration and in obligations: one row per field. */

import { isName, readTablePattern, type TablePattern } from '../guard/names.ts'
import { fieldsOf, listOf, type Readers, textOf, wordOf } from '../guard/reading.ts'
import { type DetectorKind, detectorKinds } from './detectors.ts'

/**
 * `full`: nothing is left. `partial`: some characters are, and the length. `hash`: equal values are equal, and cannot be
 * looked up without the key. `null`: there is no value.
 */
export const maskMethods = ['full', 'partial', 'hash', 'null'] as const
export type MaskMethod = (typeof maskMethods)[number]

/** Columns by name, in some tables or in all. Of several that fit a column, the first counts. */
export type ColumnMask = {
  /** In any case; a `*` stands for anything. */
  readonly names: readonly string[]
  /** Absent: whatever the table. */
  readonly tables?: readonly TablePattern[]
  readonly by: MaskMethod
}

/** Values by what they look like, wherever they stand. */
export type Detection = { readonly kinds: readonly DetectorKind[]; readonly by: MaskMethod }

export type MaskRules = {
  readonly columns?: readonly ColumnMask[]
  readonly detect?: readonly Detection[]
  /** Functions in SQL or a procedural language, by name, that are known to read nothing that is masked. */
  readonly allowFunctions?: readonly string[]
}

/** All problems at once, each beginning with the field it is about. */
export type ReadMask = { readonly rules: MaskRules } | { readonly problems: readonly string[] }

const method = wordOf(maskMethods)

/** They go to the target within a pattern, so that nothing in them may mean something there. */
const isNamePattern = (text: string): boolean => isName(text) && /^[\p{L}\p{N}_$*]+$/u.test(text)

const columnNames = textOf('the name of a column in letters, digits, _, $ and * for anything', (text) =>
  isNamePattern(text) ? text : undefined,
)

const functionNames = textOf('the name of a function without its schema', (text) =>
  isName(text) && !/[.()*]/.test(text) ? text.toLowerCase() : undefined,
)

const columns = fieldsOf<ColumnMask>({
  names: { read: listOf(columnNames), needed: true },
  tables: { read: listOf(textOf('schema.table, schema.* or table', readTable)) },
  by: { read: method, needed: true },
})

const detections = fieldsOf<Detection>({
  kinds: { read: listOf(wordOf(detectorKinds)), needed: true },
  by: { read: method, needed: true },
})

export const maskFields: Readers<MaskRules> = {
  columns: { read: listOf(columns) },
  detect: { read: listOf(detections) },
  allowFunctions: { read: listOf(functionNames) },
}

const readRules = fieldsOf(maskFields)

/** Rules out of JSON or YAML. */
export function readMask(value: unknown): ReadMask {
  const problems: string[] = []
  const rules = readRules(value, { path: '', whole: 'the mask', problems })
  if (rules !== undefined && rules.columns === undefined && rules.detect === undefined && problems.length === 0) {
    problems.push('the mask: has to have columns or detect')
  }
  return problems.length > 0 || rules === undefined ? { problems } : { rules }
}

/** A backslash is read in two ways, by a setting of the target. */
function readTable(text: string): TablePattern | undefined {
  return text.includes('\\') ? undefined : readTablePattern(text)
}
