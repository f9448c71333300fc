/** RowDescription and DataRow: what a result consists of, and rows with other cells in them. */

import { createReader } from '../postgres/wire/reader.ts'
import type { Frame } from '../postgres/wire/client-messages.ts'
import type { Cell } from './cells.ts'

export type Described = {
  readonly name: string
  /** Zero: it is no column of a table. */
  readonly table: number
  /** Zero for a whole row, below it for what the system keeps of one. */
  readonly column: number
  readonly type: number
  /** As the target knows it: for a statement that is only prepared, always text. */
  readonly isBinary: boolean
}

/** `undefined`: malformed. */
export function readDescription({ buffer, start, end }: Frame): readonly Described[] | undefined {
  const body = createReader(buffer, start + 7, end)
  if (end - start < 7) return undefined
  const fields: Described[] = []
  for (let count = buffer.readInt16BE(start + 5); count > 0 && body.isSound(); count--) {
    const name = body.text()
    const numbers = body.bytes(18)
    if (numbers.length < 18) return undefined
    fields.push({
      name,
      table: numbers.readUInt32BE(0),
      column: numbers.readInt16BE(4),
      type: numbers.readUInt32BE(6),
      isBinary: numbers.readInt16BE(16) === 1,
    })
  }
  return body.isDone() ? fields : undefined
}

/** Of a DataRow; less than zero where it is malformed. */
export const countOf = ({ buffer, start, end }: Frame): number => (end - start < 7 ? -1 : buffer.readInt16BE(start + 5))

type Change = { readonly start: number; readonly end: number; readonly value: Buffer | null }

/**
 * A row with other cells: `same` where it is to go as it stands in its buffer, also because what was changed fits where
 * it was.
 */
export function rewriteRow(row: Frame, cells: readonly (Cell | undefined)[]): Buffer | 'same' | 'malformed' {
  const changes = changesIn(row, cells)
  if (changes === undefined) return 'malformed'
  if (changes.length === 0) return 'same'
  const { buffer } = row
  if (changes.some(({ start, end, value }) => value?.length !== end - start)) return rebuilt(row, changes)
  for (const { start, value } of changes) value?.copy(buffer, start)
  return 'same'
}

function changesIn(row: Frame, cells: readonly (Cell | undefined)[]): readonly Change[] | undefined {
  const { buffer, start, end } = row
  if (countOf(row) !== cells.length) return undefined
  const changes: Change[] = []
  let at = start + 7
  for (const cell of cells) {
    if (at > end - 4) return undefined
    const size = buffer.readInt32BE(at)
    at += 4
    if (size < 0) continue
    if (size > end - at) return undefined
    const value = cell?.(buffer, at, at + size)
    if (value !== undefined) changes.push({ start: at, end: at + size, value })
    at += size
  }
  return at === end ? changes : undefined
}

function rebuilt({ buffer, start, end }: Frame, changes: readonly Change[]): Buffer {
  const grown = changes.reduce((sum, change) => sum + (change.value?.length ?? 0) - (change.end - change.start), 0)
  const row = Buffer.allocUnsafe(end - start + grown)
  let from = start
  let to = 0
  for (const { start: cell, end: cellEnd, value } of changes) {
    // Up to the length of the cell, and then that and the value anew.
    to += buffer.copy(row, to, from, cell - 4)
    to = row.writeInt32BE(value?.length ?? -1, to)
    to += value?.copy(row, to) ?? 0
    from = cellEnd
  }
  buffer.copy(row, to, from, end)
  row.writeInt32BE(row.length - 1, 1)
  return row
}
