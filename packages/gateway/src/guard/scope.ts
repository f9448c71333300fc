/**
 * Which names stand for a `WITH` query and not for a table. It has to be right in both directions: `WITH secret AS
 * (SELECT … FROM secret)` reads the table, and so does `WITH secret AS (…) DELETE FROM secret`.
 */

import { listAt, textAt, wrapped, type Fields } from './nodes.ts'

export type Scope = {
  /** By name, its place in the list. */
  readonly queries: ReadonlyMap<string, number>
  /** Those before this place can be seen. */
  readonly until: number
  readonly outer: Scope | undefined
}

export const isQueryName = (scope: Scope | undefined, name: string): boolean => {
  for (let at = scope; at !== undefined; at = at.outer) {
    const place = at.queries.get(name)
    if (place !== undefined && place < at.until) return true
  }
  return false
}

/** The scope behind a `WITH`: all of its queries. */
export function scopeBehind(withClause: Fields, outer: Scope | undefined): Scope {
  const queries = new Map<string, number>()
  for (const [place, query] of listAt(withClause, 'ctes').entries()) {
    const node = wrapped(query)
    const name = node && textAt(node.fields, 'ctename')
    if (name !== undefined && !queries.has(name)) queries.set(name, place)
  }
  return { queries, until: queries.size, outer }
}

/** The scope inside the query at `place`: those before it, and where it is `RECURSIVE` all of them. */
export const scopeInside = (withClause: Fields, behind: Scope, place: number): Scope =>
  withClause['recursive'] === true ? behind : { ...behind, until: place }
