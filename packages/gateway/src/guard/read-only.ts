/** What may stand in a statement of read-only access: these types of nodes, and no other. */

import { statementRow, statementTypes } from './statements.ts'

const parts = `
  A_ArrayExpr A_Const A_Expr A_Indices A_Indirection A_Star Alias BitString BoolExpr Boolean BooleanTest CTECycleClause
  CTESearchClause CaseExpr CaseWhen CoalesceExpr CollateClause ColumnDef ColumnRef CommonTableExpr DefElem Float FuncCall
  GroupingFunc GroupingSet Integer JoinExpr JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor
  JsonArrayQueryConstructor JsonBehavior JsonFormat JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg
  JsonObjectConstructor JsonOutput JsonParseExpr JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn
  JsonTablePathSpec JsonValueExpr List MinMaxExpr NamedArgExpr NullTest ParamRef RangeFunction RangeSubselect
  RangeTableFunc RangeTableFuncCol RangeTableSample RangeVar ResTarget RowExpr SQLValueFunction SortBy String SubLink
  TypeCast TypeName WindowDef WithClause XmlExpr XmlSerialize
`

const readingTypes: ReadonlySet<string> = new Set([
  ...parts.trim().split(/\s+/),
  ...statementTypes.filter((type) => statementRow(type)?.reads === true),
])

export const isReadingType = (type: string): boolean => readingTypes.has(type)

/** Of statements that may stand there otherwise, the kinds that may not. */
export const writingKinds: readonly string[] = [
  'COPY FROM',
  'SELECT INTO',
  'SELECT FOR UPDATE',
  'PREPARE TRANSACTION',
  'COMMIT PREPARED',
  'ROLLBACK PREPARED',
]
