/** Rows of a `COPY … TO STDOUT`, as text and as CSV. PostgreSQL sends each in a message of its own. */

import type { CopyForm } from './copy-plan.ts'

/** `null`: there is no value. */
export type CopyCell = string | null

/** The cells of one row, which ends with a line break. `undefined`: it is not written in this form. */
export function readCopyRow(line: string, form: CopyForm): readonly CopyCell[] | undefined {
  if (!line.endsWith('\n')) return undefined
  const row = line.slice(0, -1)
  return form.csv === undefined ? readTextRow(row, form) : readCsvRow(row, form, form.csv)
}

export function writeCopyRow(cells: readonly CopyCell[], form: CopyForm): string {
  const { csv, absent, delimiter } = form
  const write = csv === undefined ? (cell: string) => escaped(cell, delimiter) : (cell: string) => quotedIn(cell, csv)
  return `${cells.map((cell) => (cell === null ? absent : write(cell))).join(delimiter)}\n`
}

function readTextRow(row: string, { delimiter, absent }: CopyForm): readonly CopyCell[] {
  const cells: CopyCell[] = []
  let from = 0
  for (let at = 0; at <= row.length; at++) {
    if (row[at] === '\\') at++
    else if (at === row.length || row[at] === delimiter) {
      const raw = row.slice(from, at)
      cells.push(raw === absent ? null : unescaped(raw))
      from = at + 1
    }
  }
  return cells
}

const letters: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

const unescaped = (raw: string): string =>
  raw.replaceAll(/\\(.)/gs, (_, character: string) => letters[character] ?? character)

const names = new Map(Object.entries(letters).map(([letter, character]) => [character, letter]))

function escaped(cell: string, delimiter: string): string {
  return Array.from(cell, (character) => {
    const letter = names.get(character)
    if (letter !== undefined) return `\\${letter}`
    return character === '\\' || character === delimiter ? `\\${character}` : character
  }).join('')
}

type Quotes = NonNullable<CopyForm['csv']>

function readCsvRow(row: string, { delimiter, absent }: CopyForm, quotes: Quotes): readonly CopyCell[] | undefined {
  const cells: CopyCell[] = []
  let at = 0
  for (;;) {
    const found = row[at] === quotes.quote ? readQuoted(row, at + 1, quotes) : readBare(row, at, delimiter)
    if (found === undefined) return undefined
    cells.push(row[at] !== quotes.quote && found.text === absent ? null : found.text)
    if (found.end === row.length) return cells
    if (row[found.end] !== delimiter) return undefined
    at = found.end + 1
  }
}

type Found = { readonly text: string; readonly end: number }

function readBare(row: string, from: number, delimiter: string): Found {
  const next = row.indexOf(delimiter, from)
  const end = next < 0 ? row.length : next
  return { text: row.slice(from, end), end }
}

function readQuoted(row: string, from: number, { quote, escape }: Quotes): Found | undefined {
  let text = ''
  for (let at = from; at < row.length; at++) {
    const character = row[at] ?? ''
    const next = row[at + 1]
    if (character === escape && (next === quote || next === escape)) {
      text += next
      at++
    } else if (character === quote) return { text, end: at + 1 }
    else text += character
  }
  return undefined
}

/** In quotes whatever it is: so it is never taken for the absence of a value. */
function quotedIn(cell: string, { quote, escape }: Quotes): string {
  const body = Array.from(cell, (character) =>
    character === quote || character === escape ? escape + character : character,
  )
  return quote + body.join('') + quote
}
