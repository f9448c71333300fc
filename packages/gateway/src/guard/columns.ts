/** Whether a statement names columns that may not be named, or all columns of a table that has such. */

import type { Mention, Relation, StatementFacts } from './facts.ts'
import { wholeRowFunctions } from './functions.ts'
import { couldBe, loosely, shown, shownTable, type SearchPath } from './names.ts'
import type { ColumnRule } from './rules.ts'

/** Statements in which columns are only where `gather.ts` looks for them. */
const followed: readonly string[] = [
  'SELECT',
  'SELECT INTO',
  'SELECT FOR UPDATE',
  'VALUES',
  'INSERT',
  'UPDATE',
  'DELETE',
  'MERGE',
  'TRUNCATE',
  'LOCK',
  'COPY FROM',
  'COPY TO',
  'EXPLAIN',
  'PREPARE',
  'DECLARE',
  'CREATE TABLE AS',
  'CREATE MATERIALIZED VIEW',
  'CREATE VIEW',
]

type Names = { readonly protectedNames: ReadonlySet<string>; readonly otherNames: ReadonlySet<string> }

/** What is named that may not be, for people; `undefined` where nothing is. */
export function columnFault(facts: StatementFacts, rule: ColumnRule, searchPath: SearchPath): string | undefined {
  const isOurs = ({ table }: Relation): boolean => couldBe(table, rule.table, searchPath)
  const ours = facts.relations.filter(isOurs)
  const [first] = ours
  if (first === undefined) return undefined
  const name = shownTable(first.table)
  const strange = facts.acts.find(({ kinds }) => !followed.includes(kinds[0]))
  if (strange) return `${strange.kinds[0]} may not be run on ${name}, which has columns that are kept back`
  if (ours.some(({ renamed }) => renamed)) return `the columns of ${name} may not be given other names`
  const names = namesOf(facts, isOurs)
  const bad = facts.mentions.find((mention) => isKept(mention, { names, rule }))
  if (bad === undefined) return undefined
  return bad.column !== undefined && isDenied(bad.column, rule)
    ? `the column ${shown(bad.column)} of ${name} may not be used`
    : `all columns of ${name} at once may not be used`
}

/** What the table goes by in the statement, and what only others go by. */
function namesOf({ relations, derived, joins }: StatementFacts, isOurs: (relation: Relation) => boolean): Names {
  const nameOf = ({ table, alias }: Relation): string => alias ?? table.name
  const protectedNames = new Set([
    ...relations.filter(isOurs).flatMap((relation) => [nameOf(relation), relation.table.name]),
    ...joins,
  ])
  const others = [...relations.filter((relation) => !isOurs(relation)).map(nameOf), ...derived]
  return { protectedNames, otherNames: new Set(others.filter((name) => !protectedNames.has(name))) }
}

const isDenied = (column: string, { deny }: ColumnRule): boolean => deny.some((name) => loosely(column, name))

type Against = { readonly names: Names; readonly rule: ColumnRule }

function isKept({ qualifier, column }: Mention, { names, rule }: Against): boolean {
  if (qualifier !== undefined && names.otherNames.has(qualifier)) return false
  if (column === undefined || isDenied(column, rule)) return true
  // The name of a table or of a join, alone, is its whole row.
  if (names.protectedNames.has(column)) return true
  return qualifier !== undefined && wholeRowFunctions.includes(column.toLowerCase())
}
