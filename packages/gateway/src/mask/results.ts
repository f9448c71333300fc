/** The results of one text as they come: which cells of each row are to be other ones. Knows the text's plans, in order. */

import type { Frame } from '../postgres/wire/client-messages.ts'
import type { Catalog } from './catalog.ts'
import { type Cell, type Column, detectingCell, maskedCell } from './cells.ts'
import { type CopyCell, readCopyRow, writeCopyRow } from './copy-rows.ts'
import type { CopyForm, CopyPlan } from './copy-plan.ts'
import type { Detecting, Maskers } from './methods.ts'
import type { Plan } from './plan.ts'
import { countOf, type Described, readDescription, rewriteRow } from './rows.ts'
import type { MaskMethod } from './rules.ts'

/** Zero for text and one for binary: none for text, one for all columns, or one for each. Absent: as is described. */
export type Formats = readonly number[] | undefined

/** `same`: it goes as it stands. `malformed`: it cannot be read, so it may not go. */
export type Rewritten = Buffer | 'same' | 'malformed'

export type Results = {
  readonly describe: (message: Frame) => 'read' | 'malformed'
  readonly row: (message: Frame, formats: Formats) => Rewritten
  readonly beginCopy: (message: Frame) => 'read' | 'malformed'
  readonly copyRow: (message: Frame) => Rewritten
  /** The statement under way is done: what comes is the next one's. */
  readonly next: () => void
  /** Of the statement under way. */
  readonly plan: () => Plan | undefined
}

type Deps = {
  readonly plans: readonly Plan[]
  readonly catalog: Catalog
  readonly maskers: Maskers
  readonly detecting: Detecting | undefined
  readonly hasNames: () => boolean
}

type Cells = {
  readonly formats: Formats
  readonly list: readonly (Cell | undefined)[]
  /** Nothing in the rows can be masked. */
  readonly isPlain: boolean
}

type State = Deps & {
  at: number
  described: readonly Described[] | undefined
  /** Made for the first row. */
  cells: Cells | undefined
  copyColumns: number
  headerIsDue: boolean
}

export function createResults({ plans, catalog, maskers, detecting, hasNames }: Deps): Results {
  // Named one by one: what is spread and added to gets a shape of its own each time, and V8 finds its fields by searching.
  const state: State = {
    plans,
    catalog,
    maskers,
    detecting,
    hasNames,
    at: 0,
    described: undefined,
    cells: undefined,
    copyColumns: 0,
    headerIsDue: false,
  }
  return {
    describe(message) {
      state.described = readDescription(message)
      state.cells = undefined
      return state.described === undefined ? 'malformed' : 'read'
    },
    row: (message, formats) => row(state, message, formats),
    beginCopy: (message) => beginCopy(state, message),
    copyRow: (message) => copyRow(state, message),
    next() {
      if (state.plans.length <= 1) return
      state.at++
      state.described = undefined
      state.cells = undefined
    },
    plan: () => state.plans[state.at],
  }
}

function row(state: State, message: Frame, formats: Formats): Rewritten {
  const count = countOf(message)
  if (count < 0) return 'malformed'
  const known = state.cells
  const isKnown = known !== undefined && known.formats === formats && known.list.length === count
  const cells = isKnown ? known : makeCells(state, count, formats)
  if (cells === undefined) return 'malformed'
  state.cells = cells
  return cells.isPlain ? 'same' : rewriteRow(message, cells.list)
}

function makeCells(state: State, count: number, formats: Formats): Cells | undefined {
  if (state.described !== undefined && state.described.length !== count) return undefined
  const list = Array.from({ length: count }, (_, index) => cellOf(state, { index, count, formats }))
  return { formats, list, isPlain: list.every((cell) => cell === undefined) }
}

type At = { readonly index: number; readonly count: number; readonly formats: Formats }

function cellOf(state: State, at: At): Cell | undefined {
  const described = state.described?.[at.index]
  const type = described?.type
  const isText = type !== undefined && state.catalog.isText(type)
  const column: Column = { type, isText, isBinary: isBinaryAt(at, described) }
  const method = methodAt(state, at, described)
  if (method !== undefined) return maskedCell(column, state.maskers[method])
  return state.detecting && detectingCell(column, state.detecting)
}

/** Of a cursor that nobody has described, that is not known: then it is what is harder to read. */
function isBinaryAt({ index, formats }: At, described: Described | undefined): boolean {
  if (formats === undefined) return described?.isBinary !== false
  return (formats.length === 1 ? formats[0] : formats[index]) === 1
}

/** A column of a table is what the target says it is; of everything else, the text tells. */
function methodAt(state: State, { index, count }: At, described: Described | undefined): MaskMethod | undefined {
  const { catalog, plans, at, hasNames } = state
  if (described !== undefined && described.table !== 0 && described.column !== 0) {
    return catalog.methodOf(described.table, described.column)
  }
  const plan = plans[at]
  if (plan === undefined) return undefined
  const isMasked = plan.isNamed ? hasNames() : plan.outputs({ index, count, name: described?.name })
  return isMasked ? 'full' : undefined
}

function beginCopy(state: State, { buffer, start, end }: Frame): 'read' | 'malformed' {
  const copy = state.plans[state.at]?.copy
  if (copy === undefined || end - start < 8) return 'malformed'
  state.copyColumns = buffer.readInt16BE(start + 6)
  state.headerIsDue = !('problem' in copy.form) && copy.form.hasHeader
  return copy.columns.length > state.copyColumns ? 'malformed' : 'read'
}

function copyRow(state: State, { buffer, start, end }: Frame): Rewritten {
  const copy = state.plans[state.at]?.copy
  if (copy === undefined) return 'malformed'
  if (state.headerIsDue) {
    state.headerIsDue = false
    return 'same'
  }
  if (state.detecting === undefined && copy.columns.every((method) => method === undefined)) return 'same'
  if ('problem' in copy.form) return 'malformed'
  const cells = readCopyRow(buffer.toString('utf8', start + 5, end), copy.form)
  if (cells?.length !== state.copyColumns) return 'malformed'
  return copied(state, cells, { ...copy, form: copy.form })
}

type Readable = CopyPlan & { readonly form: CopyForm }

function copied(state: State, cells: readonly CopyCell[], { columns, form }: Readable): Rewritten {
  const masked = cells.map((cell, at) => (cell === null ? null : copiedCell(state, cell, columns[at])))
  if (masked.every((cell, at) => cell === cells[at])) return 'same'
  const line = Buffer.from(writeCopyRow(masked, form))
  const message = Buffer.allocUnsafe(line.length + 5)
  message.write('d', 'latin1')
  message.writeInt32BE(line.length + 4, 1)
  line.copy(message, 5)
  return message
}

function copiedCell(state: State, cell: string, method: MaskMethod | undefined): CopyCell {
  if (method !== undefined) return state.maskers[method](cell)
  const found = state.detecting?.(cell)
  return found === undefined ? cell : found
}
