/** What a guard may be told, in configuration and in obligations: one row per field, in `ruleFields`. */

import { type Millis, parseDuration } from '@tidegate/core'
import { limits } from './limits.ts'
import { isName, readTablePattern, type TablePattern } from './names.ts'
import { entriesOf, fieldsOf, listOf, type Place, type Reader, type Readers, textOf } from './reading.ts'
import { isStatementKind } from './statements.ts'

export type TableRules = {
  /** Absent: all that are not denied. */
  readonly allow?: readonly TablePattern[]
  readonly deny?: readonly TablePattern[]
}

/** Columns of one table that may be neither read nor written. */
export type ColumnRule = { readonly table: TablePattern; readonly deny: readonly string[] }

/** Statements that a person has to approve, each: those that fit `statements` and `tables`, where given. */
export type AskRule = {
  readonly statements?: readonly string[]
  readonly tables?: readonly TablePattern[]
  /** Groups, and `owner`: whoever owns the resource. Any one of them may answer. Absent: its owner. */
  readonly approvers?: readonly string[]
  /** How long it waits for an answer. Absent: ten minutes. */
  readonly within?: Millis
}

/** Who may answer to what these rules ask for: groups, and `owner`. */
export const approversIn = ({ ask = [] }: GuardRules): readonly string[] => [
  ...new Set(ask.flatMap(({ approvers: asked = ['owner'] }) => asked)),
]

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

type RuleField<T> = {
  readonly read: Reader<T>
  /** Its word in the short form, where it has one; what it stands for is read like any other value. */
  readonly short?: { readonly word: string; readonly value: (text: string) => unknown }
}

const listed = (text: string): readonly string[] => text.split('|').map((item) => item.trim())
const alone = (text: string): unknown => (text === '' ? true : text)

const normal = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').toUpperCase()

const kinds = listOf(
  textOf('a kind of statement, for example DELETE, DROP or CREATE TABLE', (text) =>
    isStatementKind(normal(text)) ? normal(text) : undefined,
  ),
)

const names = listOf(textOf(`a name of at most ${limits.nameBytes} bytes`, (text) => (isName(text) ? text : undefined)))

const functions = listOf(
  textOf('the name of a function without its schema, for example pg_sleep or dblink*', (text) =>
    isName(text) && !/[.()]|\*.*\*/.test(text) ? text : undefined,
  ),
)

const patternForm = 'schema.table, schema.* or table'
const patterns = listOf(textOf(patternForm, readTablePattern))

const tables = fieldsOf<TableRules>({ allow: { read: patterns }, deny: { read: patterns } })

/** `{ "public.customers": ["email", "phone"] }` */
const columns = entriesOf((name, value, at): ColumnRule | undefined => {
  const table = readTablePattern(name)
  if (table === undefined) at.problems.push(`${at.path}: has to be ${patternForm}`)
  const deny = names(value, at)
  return table && deny && { table, deny }
})

const groups = listOf(
  textOf('the name of a group, or owner', (text) => (/^[a-z][a-z0-9-]{0,62}$/.test(text) ? text : undefined)),
)

function approvers(value: unknown, at: Place): readonly string[] | undefined {
  const read = groups(value, at)
  if (read && read.length > limits.approvers)
    at.problems.push(`${at.path}: has to be at most ${limits.approvers} groups`)
  return read
}

const wait = textOf('a length of time of 1s to 1h, such as 10m', (text) => {
  const length = parseDuration(text)
  return length !== undefined && length >= 1_000 && length <= limits.longestAskMs ? length : undefined
})

const askFields = fieldsOf<AskRule>({
  statements: { read: kinds },
  tables: { read: patterns },
  approvers: { read: approvers },
  within: { read: wait },
})

const asks = listOf((value, at): AskRule | undefined => {
  const rule = askFields(value, at)
  if (rule && !('statements' in rule || 'tables' in rule))
    at.problems.push(`${at.path}: has to have statements or tables`)
  return rule
})

export const ruleFields: { readonly [K in keyof GuardRules]-?: RuleField<Exclude<GuardRules[K], undefined>> } = {
  readOnly: { read: readFlag, short: { word: 'read-only', value: alone } },
  denyStatements: { read: kinds, short: { word: 'deny', value: listed } },
  requireWhere: { read: readFlag, short: { word: 'require-where', value: alone } },
  tables: { read: tables, short: { word: 'deny-tables', value: (text) => ({ deny: listed(text) }) } },
  columns: { read: columns },
  denyFunctions: { read: functions, short: { word: 'deny-functions', value: listed } },
  searchPath: { read: names, short: { word: 'search-path', value: listed } },
  ask: { read: asks, short: { word: 'ask', value: (text) => [{ statements: listed(text) }] } },
  maxRows: { read: readCount, short: { word: 'max-rows', value: Number } },
  maxBytes: { read: readCount, short: { word: 'max-bytes', value: Number } },
  allowStatements: { read: kinds, short: { word: 'allow', value: listed } },
  allowFunctions: { read: functions, short: { word: 'allow-functions', value: listed } },
  allowSettings: { read: names, short: { word: 'allow-settings', value: listed } },
}

const fieldNames = Object.keys(ruleFields) as (keyof GuardRules)[]
const readGuard = fieldsOf<GuardRules>(ruleFields satisfies Readers<GuardRules>)

/** Rules out of JSON or YAML. */
export function readRules(value: unknown): ReadRules {
  const problems: string[] = []
  const rules = readGuard(value, { path: '', whole: 'the rules', problems })
  return problems.length > 0 || rules === undefined ? { problems } : { rules }
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
