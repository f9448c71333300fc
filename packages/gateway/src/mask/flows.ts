/**
 * Whether what a part of a statement holds is in what the whole gives. Conditions and orders are not: they tell of a
 * value without giving it, and no mask can hold that.
 */

import { namesIn, type Node } from './tree.ts'

/** Of these types, the fields through which values come. Through every other type all that is in it does. */
const through: Readonly<Record<string, readonly string[]>> = {
  SelectStmt: ['targetList', 'valuesLists', 'larg', 'rarg'],
  InsertStmt: ['returningClause'],
  UpdateStmt: ['returningClause'],
  DeleteStmt: ['returningClause'],
  MergeStmt: ['returningClause'],
  ReturningClause: ['exprs'],
  JoinExpr: ['larg', 'rarg'],
  CommonTableExpr: ['ctequery'],
  RangeSubselect: ['subquery'],
  RangeVar: [],
  WithClause: [],
  ExplainStmt: [],
}

export function flows({ field }: Node, { type, fields }: Node): boolean {
  const own = Object.hasOwn(through, type) ? through[type] : undefined
  if (own !== undefined) return own.includes(field)
  if (type === 'SubLink') return fields['subLinkType'] !== 'EXISTS_SUBLINK'
  return type === 'FuncCall' ? flowsThroughCall(field, fields) : true
}

/** `mode() WITHIN GROUP (ORDER BY email)` gives an email. */
function flowsThroughCall(field: string, fields: Node['fields']): boolean {
  if (namesIn(fields['funcname']).at(-1) === 'count') return false
  if (field === 'agg_order') return fields['agg_within_group'] === true
  return field !== 'over' && field !== 'agg_filter'
}
