/** What a mask may be told, in configuration and in obligations: one row per field. */

import { isName, readTablePattern, type TablePattern } from '../guard/names.ts'
import { type DetectorKind, detectorKinds } from './detectors.ts'
import { limits } from './limits.ts'

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

type Place = { readonly path: string; readonly problems: string[] }

/** `undefined` where the value does not read; why is among the problems then. */
type Reader<T> = (value: unknown, at: Place) => T | undefined
type Field<T> = { readonly read: Reader<T>; readonly needed?: true }
type Readers<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> }

const readMethod = textReader(`one of ${maskMethods.join(', ')}`, (text) =>
  maskMethods.find((method) => method === text),
)

/** They go to the target within a pattern, so that nothing in them may mean something there. */
const isNamePattern = (text: string): boolean => isName(text) && /^[\p{L}\p{N}_$*]+$/u.test(text)

const columnFields: Readers<ColumnMask> = {
  names: {
    read: listOf(
      textReader('the name of a column in letters, digits, _, $ and * for anything', (text) =>
        isNamePattern(text) ? text : undefined,
      ),
    ),
    needed: true,
  },
  tables: { read: listOf(textReader('schema.table, schema.* or table', readTable)) },
  by: { read: readMethod, needed: true },
}

const detectFields: Readers<Detection> = {
  kinds: {
    read: listOf(
      textReader(`one of ${detectorKinds.join(', ')}`, (text) => detectorKinds.find((kind) => kind === text)),
    ),
    needed: true,
  },
  by: { read: readMethod, needed: true },
}

export const maskFields: Readers<MaskRules> = {
  columns: { read: listOf((value, at) => readFields(value, at, columnFields)) },
  detect: { read: listOf((value, at) => readFields(value, at, detectFields)) },
  allowFunctions: {
    read: listOf(
      textReader('the name of a function without its schema', (text) =>
        isName(text) && !/[.()*]/.test(text) ? text.toLowerCase() : undefined,
      ),
    ),
  },
}

/** Rules out of JSON or YAML. A field that is not known is a problem: a mask that was misspelled would show everything. */
export function readMask(value: unknown): ReadMask {
  const problems: string[] = []
  const rules = readFields(value, { path: '', problems }, maskFields)
  if (rules !== undefined && rules.columns === undefined && rules.detect === undefined && problems.length === 0) {
    problems.push('the mask: has to have columns or detect')
  }
  return problems.length > 0 || rules === undefined ? { problems } : { rules }
}

/** A backslash is read in two ways, by a setting of the target. */
function readTable(text: string): TablePattern | undefined {
  return text.includes('\\') ? undefined : readTablePattern(text)
}

function readFields<T extends object>(value: unknown, { path, problems }: Place, readers: Readers<T>): T | undefined {
  const fields = Object.keys(readers) as (keyof T & string)[]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(`${path || 'the mask'}: has to be an object with ${fields.join(', ')}`)
    return undefined
  }
  const given = new Map(Object.entries(value))
  const within = (name: string): string => (path === '' ? name : `${path}.${name}`)
  for (const name of [...given.keys()].filter((key) => !Object.hasOwn(readers, key))) {
    problems.push(`${within(name)}: is no field; the fields are ${fields.join(', ')}`)
  }
  for (const name of fields.filter((field) => readers[field].needed === true && !given.has(field))) {
    problems.push(`${within(name)}: has to be there`)
  }
  const known = fields.filter((field) => given.has(field))
  return Object.fromEntries(
    known.map((field) => [field, readers[field].read(given.get(field), { path: within(field), problems })]),
  ) as T
}

function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value, { path, problems }) => {
    if (!Array.isArray(value) || value.length === 0 || value.length > limits.listItems) {
      problems.push(`${path}: has to be a list of 1 to ${limits.listItems} items`)
      return undefined
    }
    return value.flatMap((item: unknown, index) => read(item, { path: `${path}[${index}]`, problems }) ?? [])
  }
}

function textReader<T>(form: string, read: (text: string) => T | undefined): Reader<T> {
  return (value, { path, problems }) => {
    const found = typeof value === 'string' ? read(value) : undefined
    if (found === undefined) problems.push(`${path}: has to be ${form}`)
    return found
  }
}
