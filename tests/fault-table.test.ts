/** The table of what happens when a write fails, held to the tests that it names. */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const page = 'docs/design/faults.md'

type Row = { readonly write: string; readonly cells: readonly string[]; readonly tests: string }
type Named = { readonly file: string; readonly name: string }

const rowsOf = (text: string): Row[] =>
  [...text.matchAll(/^\|(?!---)(.+)\|$/gm)]
    .map((match) => match[1]!.split(/(?<!\\)\|/).map((cell) => cell.trim()))
    .filter(([write]) => write !== 'write')
    .map((cells) => ({ write: cells[0] ?? '', cells, tests: cells.at(-1) ?? '' }))

/** `[words](file): *name*, *name*; [words](file): *name*` */
const testsOf = (cell: string): Named[] =>
  cell.split(/; (?=\[)/).flatMap((part) => {
    const file = /\]\(([^)]+)\)/.exec(part)?.[1] ?? ''
    return [...part.matchAll(/\*([^*]+)\*/g)].map((match) => ({ file: join(dirname(page), file), name: match[1]! }))
  })

/** A name stands in its file in quotes: whole, or as the part that all of a list share. */
const isThere = ({ file, name }: Named): boolean => existsSync(file) && readFileSync(file, 'utf8').includes(name)

const rows = rowsOf(readFileSync(page, 'utf8'))

test('every row says what is left in both cases, what is done next, and where it is tested', () => {
  expect(rows.length).toBeGreaterThan(25)
  expect(rows.filter(({ cells }) => cells.length !== 5 || cells.some((cell) => cell === ''))).toEqual([])
})

test('every test that the table names is there', () => {
  expect(rows.flatMap(({ tests }) => testsOf(tests)).filter((named) => !isThere(named))).toEqual([])
})

test('only what nobody can test has none', () => {
  expect(rows.filter(({ tests }) => testsOf(tests).length === 0).map(({ write }) => write)).toEqual([
    'the first token and link, printed',
  ])
})

test('a test that is not there, or has another name, is found', () => {
  const [one, other] = testsOf('[a](../../tests/faults.test.ts): *a revoke*; [b](../../tests/none.test.ts): *x*, *y*')
  expect(one && isThere(one)).toBe(true)
  expect(other && isThere(other)).toBe(false)
  expect(isThere({ file: 'tests/faults.test.ts', name: 'a revoke that nobody wrote' })).toBe(false)
})
