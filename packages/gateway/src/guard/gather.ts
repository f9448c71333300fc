/** What is gathered from each kind of node. One row per type; `analyse.ts` brings the nodes. */

import type { Act, FunctionCall, Mention, Relation, Setting, TableName } from './facts.ts'
import { settingFunction } from './functions.ts'
import { eachChild, isFields, listAt, stringsOf, textAt, wrapped, type Fields, type TreeNode } from './nodes.ts'
import { isQueryName, type Scope } from './scope.ts'
import { hiddenIn, statementRow } from './statements.ts'

export type GatheredAct = Omit<Act, 'targets' | 'sources' | 'readsTargets'> & {
  readonly targets: TableName[]
  readonly sources: TableName[]
  readsTargets: boolean
}

export type Gathered = {
  readonly acts: [GatheredAct, ...GatheredAct[]]
  readonly nodes: Set<string>
  readonly relations: Relation[]
  readonly derived: Set<string>
  readonly joins: Set<string>
  /** By what they say, so that a thousand of the same are one. */
  readonly mentions: Map<string, Mention>
  readonly functions: Map<string, FunctionCall>
  readonly settings: Setting[]
  readonly copies: Set<'program' | 'file'>
  beginsWriting: boolean
  readonly unlimited: string[]
}

export type Step = TreeNode & {
  /** Type and field of where it stands. */
  readonly place: string
  readonly scope: Scope | undefined
  readonly act: GatheredAct
}

/** Of a statement that has no row nothing is known, so it hides code. */
export function newAct({ type, fields }: TreeNode): GatheredAct {
  const row = statementRow(type)
  const [kind = type, ...also] = row?.kinds(fields) ?? []
  const hides = row === undefined ? 'code' : hiddenIn(row, fields)
  return { type, kinds: [kind, ...also], ...(hides && { hides }), targets: [], sources: [], readsTargets: false }
}

export const newGathering = (act: GatheredAct): Gathered => ({
  acts: [act],
  nodes: new Set(),
  relations: [],
  derived: new Set(),
  joins: new Set(),
  mentions: new Map(),
  functions: new Map(),
  settings: [],
  copies: new Set(),
  beginsWriting: false,
  unlimited: [],
})

type Gatherer = (step: Step, gathered: Gathered) => void

const rows: Readonly<Record<string, Gatherer>> = {
  RangeVar: gatherTable,
  RangeSubselect: gatherDerived,
  RangeFunction: gatherDerived,
  RangeTableFunc: gatherDerived,
  JsonTable: gatherDerived,
  JoinExpr: gatherJoin,
  ColumnRef: ({ fields }, gathered) => gatherPath(listAt(fields, 'fields'), gathered),
  A_Indirection: ({ fields }, gathered) => gatherParts(listAt(fields, 'indirection'), gathered),
  FuncCall: gatherFunction,
  InsertStmt: gatherInsert,
  UpdateStmt: gatherUpdate,
  DeleteStmt: gatherDelete,
  MergeStmt: gatherMerge,
  MergeWhenClause: ({ fields }, gathered) => gatherAssigned(listAt(fields, 'targetList'), { gathered }),
  OnConflictClause: ({ fields }, gathered) => gatherAssigned(listAt(fields, 'targetList'), { gathered }),
  IndexElem: ({ fields }, gathered) => mention({ column: textAt(fields, 'name') }, gathered),
  CopyStmt: gatherCopy,
  VariableSetStmt: gatherSetting,
  DiscardStmt: gatherDiscard,
  DefElem: gatherOption,
}

export const gatherers: ReadonlyMap<string, Gatherer> = new Map(Object.entries(rows))

/** Where a table is read from. Anywhere else a name is the target of its statement, which no `WITH` query can be. */
const sourcePlaces: ReadonlySet<string> = new Set([
  'SelectStmt.fromClause',
  'UpdateStmt.fromClause',
  'DeleteStmt.usingClause',
  'MergeStmt.sourceRelation',
  'JoinExpr.larg',
  'JoinExpr.rarg',
  'RangeTableSample.relation',
])

function gatherTable({ fields, place, scope, act }: Step, gathered: Gathered): void {
  // `FOR UPDATE OF x` names what FROM has named already.
  if (place === 'LockingClause.lockedRels') return
  const name = textAt(fields, 'relname') ?? ''
  const schema = textAt(fields, 'schemaname')
  const alias = aliasOf(fields)
  const isSource = sourcePlaces.has(place)
  if (isSource && schema === undefined && isQueryName(scope, name)) {
    gathered.derived.add(alias?.name ?? name)
    return
  }
  const table = { name, ...(schema !== undefined && { schema }) }
  const tables = isSource ? act.sources : act.targets
  tables.push(table)
  gathered.relations.push({ table, ...(alias && { alias: alias.name }), renamed: alias?.renames ?? false })
}

function aliasOf({ alias }: Fields): { readonly name: string; readonly renames: boolean } | undefined {
  if (!isFields(alias)) return undefined
  return { name: textAt(alias, 'aliasname') ?? '', renames: listAt(alias, 'colnames').length > 0 }
}

function gatherDerived({ fields }: Step, { derived }: Gathered): void {
  const alias = aliasOf(fields)
  if (alias) derived.add(alias.name)
}

function gatherJoin({ fields }: Step, gathered: Gathered): void {
  for (const column of stringsOf(listAt(fields, 'usingClause'))) mention({ column }, gathered)
  // All columns that two tables share.
  if (fields['isNatural'] === true) mention({}, gathered)
  for (const name of [fields, { alias: fields['join_using_alias'] }].map((from) => aliasOf(from)?.name))
    if (name !== undefined) gathered.joins.add(name)
}

type Named = { readonly [K in keyof Mention]?: Mention[K] | undefined }

function mention({ qualifier, column }: Named, { mentions }: Gathered): void {
  mentions.set(JSON.stringify([qualifier, column]), {
    ...(qualifier !== undefined && { qualifier }),
    ...(column !== undefined && { column }),
  })
}

/** `column`, `table.column`, `schema.table.column`, and each with `*`. */
function gatherPath(path: readonly unknown[], gathered: Gathered): void {
  const names = stringsOf(path)
  if (names.length < path.length) mention({ qualifier: names.at(-1) }, gathered)
  else mention({ qualifier: names.at(-2), column: names.at(-1) }, gathered)
}

/** `(expression).column` and `(expression).*`. */
function gatherParts(parts: readonly unknown[], gathered: Gathered): void {
  for (const column of stringsOf(parts)) mention({ qualifier: '', column }, gathered)
  if (parts.some((part) => wrapped(part)?.type === 'A_Star')) mention({ qualifier: '' }, gathered)
}

/** Columns that are given values, by `ResTarget` nodes or by names alone. */
function gatherAssigned(
  values: readonly unknown[],
  { qualifier, gathered }: { readonly qualifier?: string | undefined; readonly gathered: Gathered },
): void {
  const targets = values.flatMap((value) => textAt(wrapped(value)?.fields ?? {}, 'name') ?? [])
  for (const column of [...targets, ...stringsOf(values)]) mention({ qualifier, column }, gathered)
}

function gatherFunction({ fields }: Step, { functions }: Gathered): void {
  const path = stringsOf(listAt(fields, 'funcname'))
  const name = path.at(-1) ?? ''
  const schema = path.at(-2)
  const first = name.toLowerCase() === settingFunction ? literal(listAt(fields, 'args')[0]) : undefined
  const call = { name, ...(schema !== undefined && { schema }), ...(first !== undefined && { first }) }
  functions.set(JSON.stringify([schema, name, first]), call)
}

/** A constant, as text. A zero, a false and an empty text are left out of the tree. */
function literal(value: unknown): string | undefined {
  const constant = wrapped(value)
  if (constant?.type !== 'A_Const') return undefined
  for (const [kind, empty] of constantKinds) {
    const held = constant.fields[kind]
    if (isFields(held)) return scalar(held[kind]) ?? empty
  }
  return undefined
}

const constantKinds = [
  ['sval', ''],
  ['fval', '0'],
  ['ival', '0'],
  ['boolval', 'false'],
] as const

const scalar = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined

const isThere = (value: unknown): boolean => value !== undefined && value !== null

/** The name by which a statement's target goes in it. */
function targetName({ relation }: Fields): string | undefined {
  return isFields(relation) ? (aliasOf(relation)?.name ?? textAt(relation, 'relname')) : undefined
}

function gatherInsert({ fields, act }: Step, gathered: Gathered): void {
  const qualifier = targetName(fields)
  gatherAssigned(listAt(fields, 'cols'), { qualifier, gathered })
  const givesAll = !isThere(fields['cols']) && isThere(fields['selectStmt'])
  if (givesAll) mention({ qualifier }, gathered)
  act.readsTargets = isThere(fields['returningClause'])
}

function gatherUpdate({ fields, act }: Step, gathered: Gathered): void {
  gatherAssigned(listAt(fields, 'targetList'), { qualifier: targetName(fields), gathered })
  gatherLimit({ fields, kind: 'UPDATE' }, gathered)
  act.readsTargets = isThere(fields['whereClause']) || isThere(fields['returningClause'])
}

function gatherDelete({ fields, act }: Step, gathered: Gathered): void {
  gatherLimit({ fields, kind: 'DELETE' }, gathered)
  act.readsTargets = isThere(fields['whereClause']) || isThere(fields['returningClause'])
}

function gatherLimit(
  { fields, kind }: { readonly fields: Fields; readonly kind: string },
  { unlimited }: Gathered,
): void {
  if (!namesColumn(fields['whereClause'])) unlimited.push(kind)
}

function gatherMerge({ fields, act }: Step, gathered: Gathered): void {
  act.readsTargets = true
  const clauses = listAt(fields, 'mergeWhenClauses').map((clause) => wrapped(clause)?.fields ?? {})
  const givesAll = ({ commandType, targetList, values }: Fields): boolean =>
    commandType === 'CMD_INSERT' && !isThere(targetList) && isThere(values)
  if (clauses.some(givesAll)) mention({ qualifier: targetName(fields) }, gathered)
  // The condition of the join limits all clauses, and a clause's own condition limits that one.
  if (namesColumn(fields['joinCondition'])) return
  for (const { commandType, condition } of clauses) {
    const kind = ['UPDATE', 'DELETE'].find((name) => commandType === `CMD_${name}`)
    if (kind !== undefined && !namesColumn(condition)) gathered.unlimited.push(kind)
  }
}

/** `WHERE true` and `WHERE 1 = 1` are conditions that limit nothing. */
function namesColumn(condition: unknown): boolean {
  const root = wrapped(condition)
  const nodes = root ? [root] : []
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    if (node.type === 'ColumnRef' || node.type === 'CurrentOfExpr') return true
    eachChild(node, (child) => void nodes.push(child))
  }
  return false
}

function gatherCopy({ fields }: Step, gathered: Gathered): void {
  if (isThere(fields['filename'])) gathered.copies.add(fields['is_program'] === true ? 'program' : 'file')
  const qualifier = targetName(fields)
  gatherAssigned(listAt(fields, 'attlist'), { qualifier, gathered })
  if (qualifier !== undefined && !isThere(fields['attlist'])) mention({ qualifier }, gathered)
}

/** `SET TRANSACTION` and its like set nothing by name; their options are gathered from the `DefElem` nodes. */
function gatherSetting({ fields }: Step, { settings }: Gathered): void {
  const kind = textAt(fields, 'kind')
  if (kind === 'VAR_SET_MULTI') return
  const name = kind === 'VAR_RESET_ALL' ? 'all' : (textAt(fields, 'name') ?? '').toLowerCase()
  const values = listAt(fields, 'args')
  const value = values.length === 1 ? literal(values[0]) : undefined
  settings.push({ name, ...(value !== undefined && { value }) })
}

/** `DISCARD ALL` does `RESET ALL` among other things. */
function gatherDiscard({ fields }: Step, { settings }: Gathered): void {
  if (fields['target'] === 'DISCARD_ALL') settings.push({ name: 'all' })
}

function gatherOption(step: Step, gathered: Gathered): void {
  if (textAt(step.fields, 'defname') !== 'transaction_read_only') return
  if (literal(step.fields['arg']) !== '1') gathered.beginsWriting = true
}
