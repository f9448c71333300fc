/**
 * What texts that differ in their literals only have in common, so that what is read out of one is known of all. It is
 * made without the grammar, so it is made only of texts that leave nothing to it: printable ASCII in which no comment,
 * quoted name, dollar, backslash or escape can begin, where a number stands alone as digits and nothing else, and where
 * a string is closed by the next quote. PostgreSQL's lexer takes such a text apart in one way, whatever its settings.
 */

import type { StatementFacts } from './facts.ts'
import { settingFunction } from './functions.ts'

/** Stand where literals stood. A text that has one of these is not ASCII, and has no skeleton. */
export const marks = { string: '§', small: '¹', large: '²' } as const

/** Without a backslash, so that it does not matter whether one would be an escape. */
const readable = /^[ -[\]-~\t\n\r]*$/

const strings = /'[^']*'/g

/**
 * In what is left without strings: a character that could begin something else, a comment, a number with a point, an
 * exponent or a letter to it, and a string that touches a word, a number or another string.
 */
const doubtful = /[^\w \t\n\r(),;.=<>+\-*/%!§]|--|\/\*|\.\d|(?<!\w)\d+[A-Za-z_.]|[\w.§]§|§[\w.]/

/** Nine digits are an integer of 32 bits to the grammar, more than ten are not, and ten may be either. */
const small = /(?<!\w)\d{1,9}(?!\d)/g
const large = /(?<!\w)[1-9]\d{10,}/g

/** `undefined`: the text has to be read by itself, or has no literal. Two texts with one skeleton differ in literals. */
export function skeletonOf(text: string): string | undefined {
  if (!readable.test(text)) return undefined
  const bare = text.replace(strings, marks.string)
  if (doubtful.test(bare)) return undefined
  const skeleton = bare.replace(small, marks.small).replace(large, marks.large)
  return skeleton === text ? undefined : skeleton
}

/**
 * Nodes in which a literal is a value, and no more. A type is none of them, since the grammar looks at what stands in
 * its parentheses (`float(54)`); nor are options, settings, and statements other than these four.
 */
const nodes = `
  A_ArrayExpr A_Const A_Expr A_Star Alias BoolExpr Boolean BooleanTest CaseExpr CaseWhen CoalesceExpr ColumnRef
  CommonTableExpr DeleteStmt Float FuncCall GroupingSet InferClause InsertStmt Integer IndexElem JoinExpr List
  LockingClause MinMaxExpr NullTest OnConflictClause RangeFunction RangeSubselect RangeVar ResTarget ReturningClause
  ReturningOption RowExpr SQLValueFunction SelectStmt SetToDefault SortBy String SubLink UpdateStmt WindowDef WithClause
`
const plainNodes: ReadonlySet<string> = new Set(nodes.trim().split(/\s+/))

/** Whether what was read out of a text is what its literals have no part in. */
export const isOfSkeleton = (statements: readonly StatementFacts[]): boolean =>
  statements.every(
    (facts) =>
      [...facts.nodes].every((node) => plainNodes.has(node)) &&
      // What it sets is its first argument.
      facts.functions.every(({ name }) => name.toLowerCase() !== settingFunction),
  )
