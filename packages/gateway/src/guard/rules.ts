/** What a guard may be told, in configuration and in obligations: one row per field, in `ruleFields`. */

import { limits } from './limits.ts'
import { isName, readTablePattern, type TablePattern } from './names.ts'
import { isStatementKind } from './statements.ts'

export type TableRules = {
  /** Absent: all that are not denied. */
  readonly allow?: readonly TablePattern[]
  readonly deny?: readonly TablePattern[]
}

/** Columns of one table that may be neither read nor written. */
export type ColumnRule = { readonly table: TablePattern; readonly deny: readonly string[] }

/** Statements that a person has to approve, each: those that fit all that is given. */
export type AskRule = {
  readonly statements?: readonly string[]
  readonly tables?: readonly TablePattern[]
}

/** A field that is absent asks for nothing. What every guard refuses besides is in `checks.ts`. */
export type GuardRules = {
  readonly readOnly?: boolean
  readonly denyStatements?: readonly string[]
  readonly requireWhere?: boolean
  readonly tables?: TableRules
  readonly columns?: readonly ColumnRule[]
  readonly denyFunctions?: readonly string[]
  /** Schemas in which a bare name is looked for. Absent: it could be in any. */
  readonly searchPath?: readonly string[]
  readonly ask?: readonly AskRule[]
  /** Rows that one statement may return or change. */
  readonly maxRows?: number
  /** Bytes of rows that one statement may return. */
  readonly maxBytes?: number
  /** Exceptions from what every guard refuses. */
  readonly allowStatements?: readonly string[]
  readonly allowFunctions?: readonly string[]
  readonly allowSettings?: readonly string[]
}

/** All problems at once, each beginning with the field it is about. */
export type ReadRules = { readonly rules: GuardRules } | { readonly problems: readonly string[] }

/** `undefined` where the value does not read; why is among the problems then. */
type Reader<T> = (value: unknown, at: Place) => T | undefined

type Place = { readonly path: string; readonly problems: string[] }

type RuleField<T> = {
  readonly read: Reader<T>
  /** Its word in the short form, where it has one; what it stands for is read like any other value. */
  readonly short?: { readonly word: string; readonly value: (text: string) => unknown }
}

const listed = (text: string): readonly string[] => text.split('|').map((item) => item.trim())
const alone = (text: string): unknown => (text === '' ? true : text)

export const ruleFields: { readonly [K in keyof GuardRules]-?: RuleField<Exclude<GuardRules[K], undefined>> } = {
  readOnly: { read: readFlag, short: { word: 'read-only', value: alone } },
  denyStatements: { read: readKinds, short: { word: 'deny', value: listed } },
  requireWhere: { read: readFlag, short: { word: 'require-where', value: alone } },
  tables: { read: readTables, short: { word: 'deny-tables', value: (text) => ({ deny: listed(text) }) } },
  columns: { read: readColumns },
  denyFunctions: { read: readFunctions, short: { word: 'deny-functions', value: listed } },
  searchPath: { read: readNames, short: { word: 'search-path', value: listed } },
  ask: { read: readAsks, short: { word: 'ask', value: (text) => [{ statements: listed(text) }] } },
  maxRows: { read: readCount, short: { word: 'max-rows', value: Number } },
  maxBytes: { read: readCount, short: { word: 'max-bytes', value: Number } },
  allowStatements: { read: readKinds, short: { word: 'allow', value: listed } },
  allowFunctions: { read: readFunctions, short: { word: 'allow-functions', value: listed } },
  allowSettings: { read: readNames, short: { word: 'allow-settings', value: listed } },
}

const fieldNames = Object.keys(ruleFields) as (keyof GuardRules)[]

/** Rules out of JSON or YAML. A field that is not known is a problem: a guard that was misspelled would be open. */
export function readRules(value: unknown): ReadRules {
  const problems: string[] = []
  const rules = readObject({ value, fields: fieldNames }, { path: '', problems }, (name, given, at) =>
    ruleFields[name as keyof GuardRules].read(given, at),
  )
  return problems.length > 0 ? { problems } : { rules: rules as GuardRules }
}

/** Rules out of one line of text: JSON, or the short form `read-only, deny=DROP|TRUNCATE, max-rows=1000`. */
export function readRulesText(text: string): ReadRules {
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) return readShortForm(trimmed)
  try {
    return readRules(JSON.parse(trimmed))
  } catch {
    return { problems: ['the rules are no JSON; begin with { or write read-only, deny=DROP|TRUNCATE'] }
  }
}

function readShortForm(text: string): ReadRules {
  const problems: string[] = []
  const value: Record<string, unknown> = {}
  for (const item of text.split(',').map((words) => words.trim())) {
    const [word = '', ...rest] = item.split('=')
    const name = fieldNames.find((field) => ruleFields[field].short?.word === word.trim())
    if (name === undefined) problems.push(`${word || 'the rules'}: is no rule; write one of ${shortWords()}`)
    else if (Object.hasOwn(value, name)) problems.push(`${word}: stands there twice`)
    else value[name] = ruleFields[name].short?.value(rest.join('=').trim())
  }
  return problems.length > 0 ? { problems } : readRules(value)
}

const shortWords = (): string => fieldNames.flatMap((field) => ruleFields[field].short?.word ?? []).join(', ')

const joined = (path: string, field: string): string => (path === '' ? field : `${path}.${field}`)

type Given = { readonly value: unknown; readonly fields: readonly string[] }

function readObject(
  { value, fields }: Given,
  { path, problems }: Place,
  read: (name: string, value: unknown, at: Place) => unknown,
): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push(`${path || 'the rules'}: has to be an object with ${fields.join(', ')}`)
    return undefined
  }
  const known = Object.entries(value).filter(([name]) => fields.includes(name))
  for (const name of Object.keys(value).filter((key) => !fields.includes(key)))
    problems.push(`${joined(path, name)}: is no field; the fields are ${fields.join(', ')}`)
  return Object.fromEntries(
    known.map(([name, given]) => [name, read(name, given, { path: joined(path, name), problems })]),
  )
}

function readFlag(value: unknown, { path, problems }: Place): boolean | undefined {
  if (typeof value === 'boolean') return value
  problems.push(`${path}: has to be true or false`)
  return undefined
}

function readCount(value: unknown, { path, problems }: Place): number | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  problems.push(`${path}: has to be a whole number above 0`)
  return undefined
}

function readList<T>(value: unknown, { path, problems }: Place, read: Reader<T>): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > limits.listItems) {
    problems.push(`${path}: has to be a list of 1 to ${limits.listItems} items`)
    return undefined
  }
  return value.flatMap((item: unknown, index) => read(item, { path: `${path}[${index}]`, problems }) ?? [])
}

/** A reader of texts that pass through `read`, with what one has to be. */
function textReader<T>(form: string, read: (text: string) => T | undefined): Reader<T> {
  return (value, { path, problems }) => {
    const found = typeof value === 'string' ? read(value) : undefined
    if (found === undefined) problems.push(`${path}: has to be ${form}`)
    return found
  }
}

function readKinds(value: unknown, at: Place): readonly string[] | undefined {
  const form = 'a kind of statement, for example DELETE, DROP or CREATE TABLE'
  const normal = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').toUpperCase()
  return readList(
    value,
    at,
    textReader(form, (text) => (isStatementKind(normal(text)) ? normal(text) : undefined)),
  )
}

function readNames(value: unknown, at: Place): readonly string[] | undefined {
  const form = `a name of at most ${limits.nameBytes} bytes`
  return readList(
    value,
    at,
    textReader(form, (text) => (isName(text) ? text : undefined)),
  )
}

function readFunctions(value: unknown, at: Place): readonly string[] | undefined {
  const form = 'the name of a function without its schema, for example pg_sleep or dblink*'
  const isFunction = (text: string): boolean => isName(text) && !/[.()]|\*.*\*/.test(text)
  return readList(
    value,
    at,
    textReader(form, (text) => (isFunction(text) ? text : undefined)),
  )
}

function readPatterns(value: unknown, at: Place): readonly TablePattern[] | undefined {
  return readList(value, at, textReader('schema.table, schema.* or table', readTablePattern))
}

function readTables(value: unknown, at: Place): TableRules | undefined {
  return readObject({ value, fields: ['allow', 'deny'] }, at, (_name, given, place) => readPatterns(given, place))
}

/** `{ "public.customers": ["email", "phone"] }` */
function readColumns(value: unknown, at: Place): readonly ColumnRule[] | undefined {
  const fields = typeof value === 'object' && value !== null ? Object.keys(value) : []
  const read = readObject({ value, fields }, at, (name, given, place) => readColumnRule(name, given, place))
  return read && (Object.values(read) as ColumnRule[])
}

function readColumnRule(name: string, given: unknown, at: Place): ColumnRule | undefined {
  const table = readTablePattern(name)
  if (table === undefined) at.problems.push(`${at.path}: has to be schema.table, schema.* or table`)
  const deny = readNames(given, at)
  return table && deny && { table, deny }
}

function readAsks(value: unknown, at: Place): readonly AskRule[] | undefined {
  return readList(value, at, (item, place) => {
    const readers: Readonly<Record<string, Reader<unknown>>> = { statements: readKinds, tables: readPatterns }
    const fields = Object.keys(readers)
    const rule = readObject({ value: item, fields }, place, (name, given, within) => readers[name]?.(given, within))
    if (rule && Object.keys(rule).length === 0) place.problems.push(`${place.path}: has to have statements or tables`)
    return rule
  })
}
