/** What there is to know of a statement for rules about it: found in one walk over its tree, in `analyse.ts`. */

import type { Hidden } from './statements.ts'

export type TableName = {
  /** Absent where the text does not name it: what the name means is then up to the search path. */
  readonly schema?: string
  readonly name: string
}

/** One statement, or one inside another: each does something to tables of its own. */
export type Act = {
  readonly type: string
  /** What it is called, then what it also does. */
  readonly kinds: readonly [string, ...string[]]
  /** Absent: the tree says all. */
  readonly hides?: Hidden
  /** What it changes, locks or defines. */
  readonly targets: readonly TableName[]
  /** What it reads rows of. */
  readonly sources: readonly TableName[]
  /** It also reads the rows of its targets: it returns them or looks for them by what is in them. */
  readonly readsTargets: boolean
}

/** A table in a statement, with what else it is called there. */
export type Relation = {
  readonly table: TableName
  /** Absent: its own name. */
  readonly alias?: string
  /** Its columns are given other names, by position. */
  readonly renamed: boolean
}

/** A place where columns are named. */
export type Mention = {
  /** The table or alias before the column's name. Absent: none. Empty: it is a part of what an expression gives. */
  readonly qualifier?: string
  /** Absent: all of them. */
  readonly column?: string
}

export type FunctionCall = {
  readonly schema?: string
  readonly name: string
  /** The first argument of `set_config`, where it is a literal. */
  readonly first?: string
}

export type Setting = {
  /** In lower case. `all` for all of them. */
  readonly name: string
  /** Absent: not a single literal, or back to where it began. */
  readonly value?: string
}

export type StatementFacts = {
  readonly acts: readonly [Act, ...Act[]]
  /** Types of all nodes in it. */
  readonly nodes: ReadonlySet<string>
  readonly relations: readonly Relation[]
  /** Names in FROM of what is neither a table nor a join. */
  readonly derived: ReadonlySet<string>
  /** Names of joins: columns of all their tables go by them. */
  readonly joins: ReadonlySet<string>
  readonly mentions: readonly Mention[]
  readonly functions: readonly FunctionCall[]
  readonly settings: readonly Setting[]
  /** COPY with a program, or a file, on the target's host. */
  readonly copies: ReadonlySet<'program' | 'file'>
  /** It opens, or makes of the open one, a transaction that writes. */
  readonly beginsWriting: boolean
  /** UPDATE or DELETE that no condition on a column limits. */
  readonly unlimited: readonly string[]
}
