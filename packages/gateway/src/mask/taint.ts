/**
 * Which parts of a statement may hold what is masked. Names are followed, not scopes: a name that stands for something
 * masked anywhere in the statement does so everywhere in it. That masks too much now and then, and never too little.
 */

import type { TableName } from '../guard/facts.ts'
import { wholeRowFunctions } from '../guard/functions.ts'
import { couldBe, nameMatcher } from '../guard/names.ts'
import { listAt, stringsOf, textAt, wrapped, type Fields } from '../guard/nodes.ts'
import type { Relation } from './catalog.ts'
import { flows } from './flows.ts'
import { limits } from './limits.ts'
import type { ColumnMask, MaskRules } from './rules.ts'
import { aliasOf, listTree, namesIn, type Node } from './tree.ts'

export type Surroundings = {
  readonly rules: MaskRules
  /** With masked columns, that a name could mean. */
  readonly relations: (name: TableName) => readonly Relation[]
  readonly isOpaque: (functionName: string) => boolean
}

export type Taint = {
  readonly nodes: readonly Node[]
  readonly isTainted: (index: number) => boolean
  /** The same of a part, by its fields. */
  readonly holds: (part: unknown) => boolean
  /** Of a column of something in FROM. */
  readonly isTaintedName: (name: string) => boolean
  /** It names a masked table, or has something of one. */
  readonly touches: boolean
}

type State = {
  readonly nodes: readonly Node[]
  readonly surroundings: Surroundings
  /** Of columns. */
  readonly names: Set<string>
  /** Of tables and what else is in FROM: alone they are a whole row. */
  readonly rows: Set<string>
  /** Of tables without anything masked. */
  readonly clean: Set<string>
  readonly patterns: ((name: string) => boolean)[]
  /** Names cannot be followed any more. */
  all: boolean
  tainted: Uint8Array
}

export function taintOf(statement: Fields, surroundings: Surroundings): Taint {
  const nodes = listTree(statement)
  const state: State = {
    nodes,
    surroundings,
    names: new Set(),
    rows: new Set(),
    clean: new Set(),
    patterns: [],
    all: false,
    tainted: new Uint8Array(nodes.length),
  }
  nodeRelations(state)
  for (let pass = 0; spread(state); pass++) state.all ||= pass >= limits.namePasses
  const { tainted } = state
  const places = new Map(nodes.map(({ fields }, index) => [fields, index]))
  const isTainted = (index: number): boolean => tainted[index] === 1
  return {
    nodes,
    isTainted,
    holds: (part) => isTainted(places.get(wrapped(part)?.fields ?? {}) ?? -1),
    isTaintedName: (name) => isNameTainted(state, name),
    touches: state.rows.size > 0 || tainted.includes(1),
  }
}

/** The masked tables in it, and the names of their columns. */
function nodeRelations(state: State): void {
  const { nodes, surroundings, names, rows, patterns } = state
  const { columns = [] } = surroundings.rules
  const everywhere = columns.filter(({ tables }) => tables === undefined)
  const some = columns.filter(({ tables }) => tables !== undefined)
  if (everywhere.length > 0) patterns.push(matcherOf(everywhere))
  for (const { type, fields } of nodes) {
    if (type !== 'RangeVar') continue
    const table = tableOf(fields)
    const known = surroundings.relations(table)
    const named = some.filter(({ tables = [] }) => tables.some((pattern) => couldBe(table, pattern, undefined)))
    if (named.length > 0) patterns.push(matcherOf(named))
    for (const name of known.flatMap((relation) => [...relation.columns.keys()])) names.add(name)
    if (known.length > 0 || named.length > 0) rows.add(table.name)
  }
  if (rows.size > 0) for (const name of otherRows(nodes)) rows.add(name)
}

/** What else the row of a table that is changed goes by. */
const otherRows = (nodes: readonly Node[]): readonly string[] => [
  'old',
  'new',
  'excluded',
  ...nodes.flatMap(({ type, fields }) => (type === 'ReturningOption' ? (textAt(fields, 'value') ?? []) : [])),
]

const matcherOf = (rules: readonly ColumnMask[]): ((name: string) => boolean) =>
  nameMatcher(rules.flatMap(({ names }) => names))

export function tableOf(fields: Fields): TableName {
  const schema = textAt(fields, 'schemaname')
  return { name: textAt(fields, 'relname') ?? '', ...(schema !== undefined && { schema }) }
}

/** One walk from the leaves to the root. Whether more names stand for something masked than before. */
function spread(state: State): boolean {
  const { nodes } = state
  const before = weightOf(state)
  state.tainted = new Uint8Array(nodes.length)
  findClean(state)
  for (let index = nodes.length - 1; index >= 0; index--) {
    const node = nodes[index]
    if (node === undefined) continue
    if (isSource(state, node)) state.tainted[index] = 1
    if (state.tainted[index] !== 1) continue
    namers[node.type]?.(node, state)
    const parent = nodes[node.parent]
    if (parent !== undefined && flows(node, parent)) state.tainted[node.parent] = 1
  }
  return weightOf(state) > before
}

const weightOf = ({ names, rows, all }: State): number => names.size + rows.size + (all ? 1 : 0)

function findClean(state: State): void {
  const { nodes, clean, rows } = state
  clean.clear()
  for (const node of nodes) {
    if (node.type !== 'RangeVar' || isTableTainted(state, node)) continue
    const name = aliasOf(node.fields['alias']).name ?? tableOf(node.fields).name
    if (!rows.has(name)) clean.add(name)
  }
}

/** It is where something masked comes from. */
function isSource(state: State, node: Node): boolean {
  if (node.type === 'ColumnRef') return isColumnTainted(state, node)
  if (node.type === 'RangeVar') return isTableTainted(state, node)
  if (node.type !== 'FuncCall') return false
  return state.surroundings.isOpaque(namesIn(node.fields['funcname']).at(-1) ?? '')
}

/** By its name it may also be a `WITH` query. */
function isTableTainted({ rows }: State, { fields }: Node): boolean {
  return rows.has(tableOf(fields).name)
}

/** `column`, `table.column`, `schema.table.column`, each with `*`, and `row.function`. */
function isColumnTainted(state: State, { fields }: Node): boolean {
  const { all, rows, clean, surroundings } = state
  if (all) return true
  const path = listAt(fields, 'fields')
  const names = stringsOf(path)
  const isStar = names.length < path.length
  const qualifier = names.at(isStar ? -1 : -2)
  const last = names.at(-1) ?? ''
  if (isStar) return qualifier === undefined ? rows.size > 0 : rows.has(qualifier)
  if (qualifier !== undefined && surroundings.isOpaque(last)) return true
  if (qualifier !== undefined && clean.has(qualifier)) return false
  const isRowFunction = qualifier !== undefined && rows.has(qualifier) && wholeRowFunctions.includes(last.toLowerCase())
  return isRowFunction || isNameTainted(state, last)
}

const isNameTainted = ({ all, names, rows, patterns }: State, name: string): boolean =>
  all || names.has(name) || rows.has(name) || patterns.some((matches) => matches(name))

type Namer = (node: Node, state: State) => void

const giveUp: Namer = (_node, state) => {
  state.all = true
}

/** Of what holds something masked: the names by which that goes on. */
const namers: Readonly<Record<string, Namer>> = {
  ResTarget: nameOutput,
  SelectStmt: nameUnion,
  RangeVar({ fields }, state) {
    const { name = tableOf(fields).name, columns } = aliasOf(fields['alias'])
    addNames(state, { row: name, columns })
  },
  RangeSubselect: nameAlias,
  JoinExpr: nameAlias,
  CommonTableExpr({ fields }, state) {
    addNames(state, { row: textAt(fields, 'ctename'), columns: namesIn(fields['aliascolnames']) })
    // Their columns hold rows of the query.
    if (fields['search_clause'] !== undefined || fields['cycle_clause'] !== undefined) state.all = true
  },
  // What comes of a function, of XML or JSON, has names of its own.
  RangeFunction: giveUp,
  RangeTableFunc: giveUp,
  JsonTable: giveUp,
}

function nameAlias({ fields }: Node, state: State): void {
  const { name, columns } = aliasOf(fields['alias'])
  addNames(state, { row: name, columns })
  addNames(state, { row: aliasOf(fields['join_using_alias']).name, columns: [] })
}

type Added = { readonly row: string | undefined; readonly columns: readonly string[] }

function addNames({ names, rows }: State, { row, columns }: Added): void {
  if (row !== undefined) rows.add(row)
  for (const column of columns) names.add(column)
}

function nameOutput({ fields, isNameable, field }: Node, state: State): void {
  if (!isNameable || (field !== 'targetList' && field !== 'exprs')) return
  const name = nameOf(fields)
  if (name === undefined) state.all = true
  else if (name !== '*') state.names.add(name)
}

/** Columns of a union go by the names of its first part, and so do those of `VALUES` by names of their own. */
function nameUnion({ fields, isNameable }: Node, state: State): void {
  if (!isNameable) return
  if (listAt(fields, 'valuesLists').length > 0) state.all = true
  const [first] = armsOf(fields)
  if (first === fields || first === undefined) return
  const names = listAt(first, 'targetList').map((target) => nameOf(wrapped(target)?.fields ?? {}))
  for (const name of names) {
    if (name === undefined || name === '*') state.all = true
    else state.names.add(name)
  }
}

/** The parts of a union, an intersection, a difference; of any other query, itself. */
export function armsOf(select: Fields): readonly Fields[] {
  const arms: Fields[] = []
  const open: Fields[] = [select]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const { larg, rarg } = at as { readonly larg?: Fields; readonly rarg?: Fields }
    if (larg === undefined || rarg === undefined) arms.push(at)
    else open.push(rarg, larg)
  }
  return arms
}

/** What an output is called: `*` where it is all columns of something, `undefined` where that is not to be told here. */
function nameOf(target: Fields): string | undefined {
  const alias = textAt(target, 'name')
  return alias ?? implicitName(target['val'])
}

function implicitName(value: unknown): string | undefined {
  const { type, fields } = wrapped(value) ?? { type: '', fields: {} }
  if (type === 'TypeCast' || type === 'CollateClause') return implicitName(fields['arg'])
  if (type === 'FuncCall') return namesIn(fields['funcname']).at(-1)
  if (type !== 'ColumnRef') return undefined
  const path = listAt(fields, 'fields')
  const names = stringsOf(path)
  return names.length < path.length ? '*' : names.at(-1)
}
