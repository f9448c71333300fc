/**
 * What a session's target says of its tables before the session begins: which columns are masked, by the numbers that
 * come with each result, and by the names that a text has. Views are followed through their texts.
 */

import type { TableName } from '../guard/facts.ts'
import { loosely } from '../guard/names.ts'
import type { Fields } from '../guard/nodes.ts'
import { limits } from './limits.ts'
import type { Outputs } from './outputs.ts'
import { readPlan } from './plan.ts'
import type { MaskMethod, MaskRules } from './rules.ts'
import type { Surroundings } from './taint.ts'

/** A table or view with columns that are masked. */
export type Relation = {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** By name. */
  readonly columns: ReadonlyMap<string, { readonly number: number; readonly by: MaskMethod }>
}

export type Catalog = {
  /** Of a column of a result, by the numbers of its table and in it. */
  readonly methodOf: (table: number, column: number) => MaskMethod | undefined
  /** All that a name could mean. */
  readonly relations: (name: TableName) => readonly Relation[]
  /** It is written in a language in which it may read any table. */
  readonly isOpaque: (functionName: string) => boolean
  /** Types whose values any text may stand in for. */
  readonly isText: (type: number) => boolean
}

/** As the target answers. `rule` is the first rule that names the column. */
type Answer = {
  readonly columns: readonly {
    readonly oid: number
    readonly schema: string
    readonly name: string
    readonly column: string
    readonly number: number
    readonly rule: number
  }[]
  readonly views: readonly ViewAnswer[]
  readonly functions: readonly string[]
  readonly texts: readonly number[]
}

type ViewAnswer = {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly number: number }[]
  readonly text: string
}

type ParseText = (text: string) => readonly Fields[] | undefined

type Reading = { readonly rules: MaskRules; readonly parse: ParseText }

/** @throws SyntaxError where the answer is not what was asked for */
export function readCatalog(answer: string, { rules, parse }: Reading): Catalog {
  const { columns, views, functions, texts } = JSON.parse(answer) as Answer
  const relations = new Map<number, Relation>()
  for (const [oid, found] of grouped(columns, (column) => column.oid)) {
    const [first] = found
    if (first === undefined) continue
    const own = found.map(({ column, number, rule }) => [column, { number, by: methodAt(rules, rule) }] as const)
    relations.set(oid, { oid, schema: first.schema, name: first.name, columns: new Map(own) })
  }
  const allowed = new Set(rules.allowFunctions)
  const opaque = new Set(functions.map((name) => name.toLowerCase()).filter((name) => !allowed.has(name)))
  followViews({ views, relations, rules, parse, isOpaque: (name) => opaque.has(name.toLowerCase()) })
  return catalogOf({ relations, opaque, texts: new Set(texts) })
}

function grouped<T, K>(items: Iterable<T>, keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item)) ?? []
    group.push(item)
    groups.set(keyOf(item), group)
  }
  return groups
}

const methodAt = ({ columns = [] }: MaskRules, index: number): MaskMethod => columns[index]?.by ?? 'full'

type Found = {
  readonly relations: ReadonlyMap<number, Relation>
  readonly opaque: ReadonlySet<string>
  readonly texts: ReadonlySet<number>
}

function catalogOf({ relations, opaque, texts }: Found): Catalog {
  const methods = new Map(
    [...relations.values()].flatMap(({ oid, columns }) =>
      [...columns.values()].map(({ number, by }) => [`${oid}.${number}`, by] as const),
    ),
  )
  return {
    methodOf: (table, column) => methods.get(`${table}.${column}`),
    relations: finder(relations),
    isOpaque: (name) => opaque.has(name.toLowerCase()),
    isText: (type) => texts.has(type),
  }
}

/** A name without a schema could be in any. */
function finder(relations: ReadonlyMap<number, Relation>): Catalog['relations'] {
  const byName = grouped(relations.values(), ({ name }) => name.toLowerCase())
  return ({ schema, name }) =>
    (byName.get(name.toLowerCase()) ?? []).filter(
      (relation) => loosely(relation.name, name) && (schema === undefined || loosely(relation.schema, schema)),
    )
}

type Following = {
  readonly views: readonly ViewAnswer[]
  readonly relations: Map<number, Relation>
  readonly rules: MaskRules
  readonly parse: ParseText
  readonly isOpaque: (name: string) => boolean
}

/** Until nothing more is found: a view may stand on another. One that a rule names is as that rule says. */
function followViews({ views, relations, rules, parse, isOpaque }: Following): void {
  const open = views.map((view) => ({ view, statements: parse(view.text) }))
  for (let pass = 0, grown = true; grown && pass <= limits.viewPasses; pass++) {
    const surroundings: Surroundings = { rules, relations: finder(relations), isOpaque }
    grown = false
    for (const { view, statements } of open) {
      const outputs = pass < limits.viewPasses ? outputsOfView(statements, surroundings) : allOutputs
      const known = relations.get(view.oid)?.columns ?? none
      const count = view.columns.length
      const added = view.columns
        .filter(({ name }, index) => !known.has(name) && outputs({ index, count, name: undefined }))
        .map(({ name, number }) => [name, { number, by: 'full' }] as const)
      if (added.length === 0) continue
      grown = true
      relations.set(view.oid, { ...view, columns: new Map([...known, ...added]) })
    }
  }
}

const none: Relation['columns'] = new Map()
const allOutputs: Outputs = () => true

/** What does not read may hold anything. */
function outputsOfView(statements: readonly Fields[] | undefined, surroundings: Surroundings): Outputs {
  const [statement] = statements ?? []
  if (statement === undefined) return allOutputs
  const plan = readPlan(statement, surroundings)
  return 'refusal' in plan ? allOutputs : plan.outputs
}
