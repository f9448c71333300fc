/** What a guard looks for in a statement. One row per rule; the first that finds something refuses. */

import { columnFault } from './columns.ts'
import type { Act, StatementFacts, TableName } from './facts.ts'
import { changingFunctions, dangerousFunctions, settingFunction } from './functions.ts'
import { couldBe, mustBe, nameMatcher, shown, shownTable } from './names.ts'
import { isReadingType, writingKinds } from './read-only.ts'
import type { AskRule, GuardRules } from './rules.ts'
import { isOn, maySet, readOnlySettings } from './settings.ts'
import { isOfKind, statementRow, type Hidden } from './statements.ts'

/** Rules with what is made of them once. */
export type ReadyRules = GuardRules & {
  readonly isDeniedFunction: (name: string) => boolean
  readonly isAllowedFunction: (name: string) => boolean
}

export const readyRules = (rules: GuardRules): ReadyRules => ({
  ...rules,
  isDeniedFunction: nameMatcher(rules.denyFunctions ?? []),
  isAllowedFunction: nameMatcher(rules.allowFunctions ?? []),
})

type Check = {
  /** What may not be done, for people; `undefined` where nothing was found. */
  readonly finds: (facts: StatementFacts, rules: ReadyRules) => string | undefined
  /** What would be let through. */
  readonly remedy: string
}

/** By the id that refusals and entries name. The first five are in every guard, whatever its rules. */
export const checks = {
  code: {
    finds: (facts, rules) => hiddenFault(facts, rules, 'code'),
    remedy: 'Send statements by themselves; what has to stay is put in place by who administers the target.',
  },
  lasting: {
    finds: (facts, rules) => hiddenFault(facts, rules, 'lasting'),
    remedy: 'Privileges, roles and databases are changed by who administers the target.',
  },
  settings: {
    finds: settingFault,
    remedy: 'Leave the setting as it is, and write names with their schema.',
  },
  files: {
    finds: ({ copies }) => {
      const [what] = copies
      return what && `COPY may not reach a ${what} of the target`
    },
    remedy: 'Use COPY … FROM STDIN or TO STDOUT (in psql, \\copy).',
  },
  functions: {
    finds: functionFault,
    remedy: 'Leave the function out.',
  },
  'read-only': {
    finds: (facts, { readOnly }) => (readOnly === true ? writeFault(facts) : undefined),
    remedy: 'Ask for a role that may write.',
  },
  'deny-statements': {
    finds: (facts, { denyStatements = [] }) => {
      const kinds = facts.acts.flatMap((act) => act.kinds)
      const kind = kinds.find((name) => denyStatements.some((denied) => isOfKind(name, denied)))
      return kind && `${kind} may not be run`
    },
    remedy: 'Ask for a role that may run it.',
  },
  'require-where': {
    finds: (facts, { requireWhere }) => (requireWhere === true ? unlimitedFault(facts) : undefined),
    remedy: 'Add a condition on a column of the table.',
  },
  tables: {
    finds: tableFault,
    remedy: 'Name tables that the role may use, each with its schema.',
  },
  columns: {
    finds: (facts, rules) =>
      first(rules.columns ?? [], (rule) => columnFault(facts, rule, rules.searchPath)) ??
      (rules.columns === undefined ? undefined : unfollowedFault(facts, rules)),
    remedy: 'Name the columns that are wanted, one by one, each with its table, and without those kept back.',
  },
  // Approval is for one run, and a prepared statement runs as often as its name is called.
  ask: {
    finds: (facts, rules) =>
      facts.acts[0].type === 'PrepareStmt' && asksFor(facts, rules) !== undefined
        ? 'a statement that needs approval may not be prepared by PREPARE'
        : undefined,
    remedy: 'Send the statement itself.',
  },
} as const satisfies Record<string, Check>

export type CheckId = keyof typeof checks

function first<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

const hiddenReasons = {
  code: 'runs or plants code that cannot be seen from here',
  lasting: 'changes what outlasts the session',
} as const satisfies Partial<Record<Hidden, string>>

function hiddenFault(
  { acts }: StatementFacts,
  { allowStatements = [] }: GuardRules,
  hides: keyof typeof hiddenReasons,
): string | undefined {
  const isAllowed = ({ kinds }: Act): boolean => allowStatements.some((kind) => isOfKind(kinds[0], kind))
  const act = acts.find((candidate) => candidate.hides === hides && !isAllowed(candidate))
  return act && `${shown(act.kinds[0])} ${hiddenReasons[hides]}`
}

/** Not one of the values that a setting of few values may be given. */
const unknownValue = '?'

function settingFault(facts: StatementFacts, { allowSettings = [] }: GuardRules): string | undefined {
  if (changesSettingsView(facts)) return 'settings may not be changed through pg_settings'
  const called = facts.functions
    .filter(({ name }) => name.toLowerCase() === settingFunction)
    .map(({ first: name = 'a setting that is computed' }) => ({ name: name.toLowerCase(), value: unknownValue }))
  const bad = [...facts.settings, ...called].find(
    ({ name, value }) => !maySet(name, value) && !allowSettings.includes(name),
  )
  return bad && `${shown(bad.name === 'all' ? 'all settings' : bad.name)} may not be set`
}

const viewing: ReadonlySet<string> = new Set([
  'SelectStmt',
  'ExplainStmt',
  'DeclareCursorStmt',
  'PrepareStmt',
  'CopyStmt',
])

/** An UPDATE of it sets what it says, and a view on it does too. */
function changesSettingsView({ relations, acts }: StatementFacts): boolean {
  return relations.some(({ table }) => table.name === 'pg_settings') && acts.some(({ type }) => !viewing.has(type))
}

const groups = dangerousFunctions.map(({ names, about }) => ({ about, isOne: nameMatcher(names) }))

function functionFault(
  { functions, mentions }: StatementFacts,
  { denyFunctions = [], isDeniedFunction, isAllowedFunction }: ReadyRules,
): string | undefined {
  const dangerous = first(functions, ({ name }) => {
    const group = isAllowedFunction(name) ? undefined : groups.find(({ isOne }) => isOne(name))
    return group && `the function ${shown(name)} ${group.about}`
  })
  if (dangerous !== undefined || denyFunctions.length === 0) return dangerous
  // `row.name` is another way to write `name(row)`.
  const written = mentions.flatMap(({ qualifier, column }) => (qualifier === undefined ? [] : (column ?? [])))
  const denied = [...functions.map(({ name }) => name), ...written].find(isDeniedFunction)
  return denied && `the function ${shown(denied)} may not be used`
}

const isChanging = nameMatcher(changingFunctions)

function writeFault(facts: StatementFacts): string | undefined {
  const kinds = facts.acts.filter(({ type }) => statementRow(type)?.reads !== true).map((act) => act.kinds[0])
  const also = facts.acts.flatMap((act) => act.kinds).filter((kind) => writingKinds.includes(kind))
  const [kind] = [...kinds, ...also]
  if (kind !== undefined) return `${shown(kind)} may not be run in read-only access`
  const call = facts.functions.find(({ name }) => isChanging(name))
  if (call) return `the function ${shown(call.name)} changes something, and the access is read-only`
  if (facts.beginsWriting || setsWriting(facts)) return 'the transaction may not be made to write in read-only access'
  const type = [...facts.nodes].find((node) => !isReadingType(node))
  return type && `${type} may not stand in a statement of read-only access`
}

function setsWriting({ settings, functions }: StatementFacts): boolean {
  return (
    settings.some(({ name, value }) => name === 'all' || (readOnlySettings.includes(name) && !isOn(value))) ||
    functions.some(
      ({ name, first: set = '' }) => name === settingFunction && readOnlySettings.includes(set.toLowerCase()),
    )
  )
}

function unlimitedFault({ unlimited, acts }: StatementFacts): string | undefined {
  const kind = unlimited[0] ?? acts.flatMap((act) => act.kinds).find((name) => name === 'TRUNCATE')
  if (kind === undefined) return undefined
  return kind === 'TRUNCATE' ? 'TRUNCATE takes every row' : `${kind} has no WHERE that limits it`
}

/** They hold samples of what is in the columns of all tables. */
const statistics = ['pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_statistic', 'pg_statistic_ext_data']

const showsContents = ({ schema, name }: TableName): boolean => statistics.includes(name) || schema === 'pg_toast'

const tablesOf = ({ acts }: StatementFacts): readonly TableName[] =>
  acts.flatMap(({ targets, sources }) => [...targets, ...sources])

/** What a session has made for itself, out of what it may read. */
const isOwn = ({ schema }: TableName): boolean => schema === 'pg_temp'

function tableFault(facts: StatementFacts, rules: GuardRules): string | undefined {
  const { tables, searchPath } = rules
  if (tables === undefined) return undefined
  const { allow, deny = [] } = tables
  const isAllowed = (table: TableName): boolean =>
    allow === undefined || isOwn(table) || mustBe(table, allow, searchPath)
  const bad = tablesOf(facts).find(
    (table) => !isAllowed(table) || deny.some((pattern) => couldBe(table, pattern, searchPath)),
  )
  return bad ? `the table ${shownTable(bad)} may not be used` : unfollowedFault(facts, rules)
}

/** Where rules are about tables, these have to be where they are looked for. */
function unfollowedFault(facts: StatementFacts, { tables, allowStatements = [] }: GuardRules): string | undefined {
  const act = facts.acts.find(
    ({ hides, kinds }) => hides !== undefined && !allowStatements.some((kind) => isOfKind(kinds[0], kind)),
  )
  if (act) return `${shown(act.kinds[0])} reaches tables in ways that rules about them do not follow`
  const isNamed = ({ name }: TableName): boolean => tables?.allow?.some(({ table }) => table === name) ?? false
  const table = tablesOf(facts).find((candidate) => showsContents(candidate) && !isNamed(candidate))
  return table && `${shownTable(table)} shows what is in other tables`
}

/** What a person has to approve of a statement, for people, and all the rules that say so. */
export type Asked = { readonly what: string; readonly rules: readonly AskRule[] }

export function asksFor(facts: StatementFacts, { ask = [], searchPath }: GuardRules): Asked | undefined {
  const kinds = facts.acts.flatMap((act) => act.kinds)
  const rules = ask.filter(
    ({ statements, tables }) =>
      (statements === undefined || kinds.some((kind) => statements.some((asked) => isOfKind(kind, asked)))) &&
      (tables === undefined || tablesOf(facts).some((table) => tables.some((one) => couldBe(table, one, searchPath)))),
  )
  if (rules.length === 0) return undefined
  const tables = [...new Set(tablesOf(facts).map(shownTable))].slice(0, 5)
  const kind = shown(kinds[0] ?? '')
  return { what: tables.length > 0 ? `${kind} on ${tables.join(', ')}` : kind, rules }
}
