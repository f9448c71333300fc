/** The guard's tables, held to the grammar that libpg-query is compiled from. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { bareType } from './nodes.ts'
import { isReadingType } from './read-only.ts'
import { statementRow, statementTypes } from './statements.ts'

/** Types of the grammar, with the fields that hold a node. */
const grammar = readGrammar()

type Field = { readonly name: string; readonly type: string }

function readGrammar(): ReadonlyMap<string, readonly Field[]> {
  const library = createRequire(import.meta.url).resolve('libpg-query')
  const text = readFileSync(createRequire(library).resolve('@pgsql/types/types.d.ts'), 'utf8')
  const interfaces = [...text.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)]
  const names = new Set(interfaces.map(([, name]) => name!))
  return new Map(
    interfaces.map(([, name, body]) => {
      const fields = [...body!.matchAll(/^\s+(\w+)\?: (\w+)(?:\[\])?;/gm)]
      return [
        name!,
        fields.map(([, field, type]) => ({ name: field!, type: type! })).filter(({ type }) => names.has(type)),
      ]
    }),
  )
}

/** Not statements that a client can send: the frame, PL/pgSQL's, one in a function's body, and what analysis makes. */
const notSent = ['RawStmt', 'PLAssignStmt', 'ReturnStmt', 'SetOperationStmt']

/** Made by analysis and planning, which the guard never sees. */
const notParsed =
  /^(?:Query|RangeTblEntry|TableFunc|JsonTablePathScan|JsonExpr|JsonConstructorExpr|OnConflictExpr|ScanResult|ParseResult|SummaryResult)$/

describe('the tables of the guard', () => {
  test('have a row for every statement of the grammar', () => {
    const statements = [...grammar.keys()].filter((name) => name.endsWith('Stmt') && !notSent.includes(name))
    expect(statements.length).toBeGreaterThan(100)
    expect(statements.filter((name) => statementRow(name) === undefined)).toEqual([])
  })

  test('name no statement that the grammar does not have', () => {
    expect(statementTypes.filter((name) => !grammar.has(name))).toEqual([])
  })

  test('know the type of every field that stands without one', () => {
    const wrong = [...grammar]
      .filter(([name]) => !notParsed.test(name))
      .flatMap(([parent, fields]) =>
        fields.map(({ name, type }) => ({ place: `${parent}.${name}`, type, known: bareType(parent, name) })),
      )
      .filter(({ place, type, known }) => type !== known && !/\.(?:viewQuery|funcexpr)$/.test(place))
    expect(wrong).toEqual([])
  })

  test('let nothing stand in read-only access that changes, locks or defines', () => {
    const reading = [...grammar.keys()].filter((name) => isReadingType(name))
    expect(reading.length).toBeGreaterThan(70)
    expect(reading.filter((name) => name.endsWith('Stmt')).toSorted()).toEqual([
      'ClosePortalStmt',
      'CopyStmt',
      'DeallocateStmt',
      'DeclareCursorStmt',
      'ExecuteStmt',
      'ExplainStmt',
      'FetchStmt',
      'ListenStmt',
      'PrepareStmt',
      'SelectStmt',
      'TransactionStmt',
      'UnlistenStmt',
      'VariableSetStmt',
      'VariableShowStmt',
    ])
    for (const type of ['IntoClause', 'LockingClause', 'ReturningClause', 'OnConflictClause', 'MergeWhenClause', '?'])
      expect(isReadingType(type)).toBe(false)
  })
})
