/**
 * Rows for the recording: what the client gets of them, after every mask, and no more of them than the recorder has
 * room for. They go to it in bunches, before what comes of their statement.
 */

import type { Parameter } from '../../recording/event.ts'
import { recorderLimits } from '../../recording/limits.ts'
import type { Formats } from '../../mask/results.ts'
import { countOf, readDescription } from '../../mask/rows.ts'
import type { Frame } from '../wire/client-messages.ts'
import type { Message } from './message.ts'
import { momentOf } from './moment.ts'
import type { State, Verdict } from './state.ts'

export type KeptRows = {
  /** Of the rows that come, if somebody asked what they are. */
  described: readonly { readonly name: string; readonly isBinary: boolean }[] | undefined
  /** The names are still to be recorded. */
  isNew: boolean
  isBinaryCopy: boolean
  statement: number
  rows: (readonly Parameter[])[]
}

export const noRows = (): KeptRows => ({
  described: undefined,
  isNew: false,
  isBinaryCopy: false,
  statement: 0,
  rows: [],
})

/** A RowDescription: what comes now, or is about to, has these columns. */
export function noteColumns(state: State, message: Message): void {
  if (!state.ports.recorder.keepsRows) return
  recordRows(state)
  state.kept.described = readDescription(message)
  state.kept.isNew = true
}

/** A CopyOutResponse. */
export function noteCopyForm({ ports, kept }: State, { buffer, start }: Message): void {
  if (ports.recorder.keepsRows) kept.isBinaryCopy = buffer[start + 5] === 1
}

/** Of a DataRow, the cells as the verdict lets them go to the client. */
export function keepRow(state: State, message: Message, verdict: Verdict): void {
  keep(state, sentOf(message, verdict), (frame) => cellsOf(state, frame))
}

/** Of CopyData: a line of text, or whatever stands between two of its borders. */
export function keepCopyRow(state: State, message: Message, verdict: Verdict): void {
  keep(state, sentOf(message, verdict), ({ buffer, start, end }) => [
    state.kept.isBinaryCopy
      ? Buffer.from(buffer.subarray(start + 5, end))
      : buffer.toString('utf8', start + 5, end).replace(/\r?\n$/, ''),
  ])
}

type Read = (frame: Frame) => readonly Parameter[] | undefined

function keep(state: State, frame: Frame | undefined, read: Read): void {
  const { ports, kept, outstanding } = state
  const { recorder } = ports
  const statement = outstanding.head()?.statement ?? 0
  if (frame === undefined || statement === 0 || !recorder.wantsRows(statement)) return
  if (kept.statement !== statement) recordRows(state)
  kept.statement = statement
  if (frame.end - frame.start > recorderLimits.rows.perStatementBytes) {
    recordRows(state, { truncated: true })
    return
  }
  const cells = read(frame)
  if (cells !== undefined) kept.rows.push(cells)
}

/** `undefined`: the client does not get it. */
function sentOf(message: Message, verdict: Verdict): Frame | undefined {
  if (verdict.do === 'forward') return message
  return verdict.do === 'replace' ? { buffer: verdict.bytes, start: 0, end: verdict.bytes.length } : undefined
}

/** What was gathered goes to the recorder. */
export function recordRows(state: State, more: { readonly truncated?: true } = {}): void {
  const { ports, kept } = state
  const { statement, rows, described } = kept
  if (rows.length === 0 && more.truncated === undefined) return
  kept.rows = []
  const columns = kept.isNew && described !== undefined ? { columns: described.map(({ name }) => name) } : {}
  kept.isNew = false
  ports.recorder.record({ type: 'rows', at: momentOf(state).at, statement, ...columns, rows, ...more })
}

/** A statement is done: the next one's columns are others. */
export function forgetColumns({ kept }: State): void {
  kept.described = undefined
}

function cellsOf({ kept, outstanding }: State, frame: Frame): readonly Parameter[] | undefined {
  const count = countOf(frame)
  const { buffer, end } = frame
  const formats = outstanding.head()?.formats
  const cells: Parameter[] = []
  for (let at = frame.start + 7; cells.length < count;) {
    if (at > end - 4) return undefined
    const size = buffer.readInt32BE(at)
    at += 4
    if (size > end - at) return undefined
    const isBinary = isBinaryAt(cells.length, formats, kept.described)
    if (size < 0) cells.push(null)
    // A copy: the recorder writes it later, and the chunk is not ours.
    else cells.push(isBinary ? Buffer.from(buffer.subarray(at, at + size)) : buffer.toString('utf8', at, at + size))
    at += Math.max(0, size)
  }
  return cells
}

/** As Bind asked for it; of what Bind did not ask for, as the target says. What nobody says is text. */
function isBinaryAt(index: number, formats: Formats, described: KeptRows['described']): boolean {
  if (formats === undefined) return described?.[index]?.isBinary === true
  return (formats.length === 1 ? formats[0] : formats[index]) === 1
}
