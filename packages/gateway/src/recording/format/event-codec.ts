/** How each type of event is written in a block: one row of the table per type, in both directions. */

import { instant } from '@tidegate/core'
import {
  malformed,
  putByte,
  putNumber,
  putSigned,
  putText,
  putValue,
  roomForNumber,
  roomForText,
  roomForValue,
  takeByte,
  takeNumber,
  takeSigned,
  takeText,
  takeValue,
} from './bytes.ts'
import type { Sink, Source } from './bytes.ts'
import { readerLimits } from '../limits.ts'
import type { Committed, RecordedText, RecordedValue, SealedEvent } from '../policy.ts'

/** What the events of one block share while it is written: statements said before are referred to by number. */
export type BlockWords = {
  at: number
  /** Those that are looked for when another is said: the first of the block. */
  readonly texts: Map<string, number>
  /** Texts that were written. */
  written: number
}

/** The same while it is read. */
export type BlockTexts = {
  at: number
  readonly texts: string[]
  /** Of the next commitment, where salts are read and not erased. */
  readonly salt: () => Uint8Array | undefined
}

type Body<T extends SealedEvent['type']> = Omit<Extract<SealedEvent, { type: T }>, 'type' | 'at' | 'statement'>

type Row<T extends SealedEvent['type']> = {
  readonly code: number
  /** The most bytes that its own fields take. */
  readonly room: (event: Body<T>) => number
  readonly put: (sink: Sink, event: Body<T>, words: BlockWords) => void
  readonly take: (source: Source, words: BlockTexts) => Body<T>
}

const rows: { readonly [T in SealedEvent['type']]: Row<T> } = {
  statement: {
    code: 1,
    room: ({ text, parameters }) => 2 * roomForNumber + roomForValue(text) + roomForValues(parameters),
    put(sink, { protocol, text, parameters }, words) {
      putByte(sink, protocol === 'simple' ? 0 : 1)
      putStatementText(sink, text, words)
      putOptionalValues(sink, parameters)
    },
    take(source, words) {
      const protocol = takeFlag(source) ? 'extended' : 'simple'
      const text = takeStatementText(source, words)
      const parameters = takeOptionalValues(source, words)
      return { protocol, text, ...(parameters !== undefined && { parameters }) }
    },
  },
  result: {
    code: 2,
    room: ({ tag, error }) =>
      3 * roomForNumber +
      2 +
      (tag === undefined ? 0 : roomForText(tag)) +
      (error === undefined ? 0 : roomForText(error.sqlstate) + roomForValue(error.message)),
    put(sink, { durationMs, rows, bytes, tag, error }) {
      putNumber(sink, Math.round(durationMs * 1_000))
      putNumber(sink, rows)
      putNumber(sink, bytes)
      putByte(sink, (tag === undefined ? 0 : 1) + (error === undefined ? 0 : 2))
      if (tag !== undefined) putText(sink, tag)
      if (error === undefined) return
      putText(sink, error.sqlstate)
      putValue(sink, error.message)
    },
    take(source, words) {
      const [durationUs, rows, bytes] = [takeNumber(source), takeNumber(source), takeNumber(source)]
      const has = takeByte(source)
      if (has > 3) throw malformed('a result has fields of no known kind')
      return {
        durationMs: durationUs / 1_000,
        rows,
        bytes,
        ...((has & 1) === 1 && { tag: takeText(source) }),
        ...((has & 2) === 2 && { error: { sqlstate: takeText(source), message: takeTextValue(source, words) } }),
      }
    },
  },
  refused: {
    code: 3,
    room: ({ rule, message }) => roomForText(rule) + roomForValue(message),
    put(sink, { rule, message }) {
      putText(sink, rule)
      putValue(sink, message)
    },
    take: (source, words) => ({ rule: takeText(source), message: takeTextValue(source, words) }),
  },
  cancel: { code: 4, room: () => 0, put: () => undefined, take: () => ({}) },
  rows: {
    code: 5,
    room: ({ columns, rows }) =>
      2 * roomForNumber + 1 + roomForValues(columns) + rows.reduce((sum, row) => sum + roomForValues(row), 0),
    put(sink, { columns, rows, truncated }) {
      putByte(sink, truncated === true ? 1 : 0)
      putOptionalValues(sink, columns)
      putNumber(sink, rows.length)
      for (const row of rows) putOptionalValues(sink, row)
    },
    take(source, words) {
      const truncated = takeFlag(source)
      const columns = takeOptionalValues(source, words)
      const count = takeCount(source)
      const rows = Array.from({ length: count }, () => takeOptionalValues(source, words) ?? [])
      if (columns?.some((name) => typeof name !== 'string') === true) throw malformed('a column has no name')
      return {
        ...(columns !== undefined && { columns: columns as string[] }),
        rows,
        ...(truncated && { truncated: true as const }),
      }
    },
  },
}

const typeOf = new Map(
  Object.entries(rows).map(([type, { code }]) => [code, type as SealedEvent['type']] satisfies [number, unknown]),
)

/** The row of a type, for an event that is known to be of it. */
const rowOf = (type: SealedEvent['type']): Row<SealedEvent['type']> =>
  // Nearly all are of these two, and a field is found faster by its name than by a name that is looked up.
  (type === 'result' ? rows.result : type === 'statement' ? rows.statement : rows[type]) as unknown as Row<
    SealedEvent['type']
  >

/** The most bytes that an event takes, with its length, type, time and statement. */
export const roomForEvent = (event: SealedEvent): number => 4 * roomForNumber + rowOf(event.type).room(event)

/** Writes an event: the length of what follows, and then that. */
export function putEvent(sink: Sink, event: SealedEvent, words: BlockWords): void {
  const start = sink.offset
  const row = rowOf(event.type)
  // Most lengths take one byte. Where this one does not, the event moves up.
  sink.offset += 1
  putByte(sink, row.code)
  putSigned(sink, event.at - words.at)
  putNumber(sink, event.statement)
  row.put(sink, event, words)
  words.at = event.at
  const length = sink.offset - start - 1
  if (length < 128) sink.buffer[start] = length
  else moveUp(sink, start, length)
}

function moveUp(sink: Sink, start: number, length: number): void {
  const prefix: Sink = { buffer: Buffer.allocUnsafe(roomForNumber), offset: 0 }
  putNumber(prefix, length)
  sink.buffer.copyWithin(start + prefix.offset, start + 1, start + 1 + length)
  prefix.buffer.copy(sink.buffer, start, 0, prefix.offset)
  sink.offset = start + prefix.offset + length
}

/** Reads an event, all of the source. Throws what {@link malformed} makes for anything that is not one. */
export function takeEvent(source: Source, words: BlockTexts): SealedEvent {
  const type = typeOf.get(takeByte(source))
  if (type === undefined) throw malformed('an event is of no known type')
  const at = words.at + takeSigned(source)
  const statement = takeNumber(source)
  const body = rowOf(type).take(source, words)
  if (source.offset !== source.end) throw malformed('an event is longer than it says')
  words.at = at
  return { type, at: instant(at), statement, ...body } as SealedEvent
}

const saidBefore = 4
const roomForValues = (values: readonly RecordedValue[] | undefined): number =>
  roomForNumber + (values?.reduce((sum: number, value) => sum + roomForValue(value), 0) ?? 0)

/** Whose texts are all new ones pays for being looked for in so many, and no more. Compression finds the rest. */
const wordsMost = 64

/** Texts of statements are numbered from 0 in a block. One of the first that is said again is its number. */
function putStatementText(sink: Sink, text: RecordedText, words: BlockWords): void {
  const { texts } = words
  const known = typeof text === 'string' ? texts.get(text) : undefined
  if (known === undefined) {
    if (typeof text === 'string') {
      if (texts.size < wordsMost) texts.set(text, words.written)
      words.written += 1
    }
    putValue(sink, text)
  } else {
    putByte(sink, saidBefore)
    putNumber(sink, known)
  }
}

function takeStatementText(source: Source, words: BlockTexts): RecordedText {
  if (source.buffer[source.offset] !== saidBefore) {
    const text = takeTextValue(source, words)
    if (typeof text === 'string') words.texts.push(text)
    return text
  }
  takeByte(source)
  const text = words.texts[takeNumber(source)]
  if (text === undefined) throw malformed('an event refers to a statement that is not in its block')
  return text
}

function takeTextValue(source: Source, words: BlockTexts): string | Committed {
  const value = takeValue(source, words.salt)
  if (value === null || value instanceof Uint8Array) throw malformed('a text is none')
  return value
}

/** Their number and one, then each; zero where there is no list. */
function putOptionalValues(sink: Sink, values: readonly RecordedValue[] | undefined): void {
  putNumber(sink, values === undefined ? 0 : values.length + 1)
  if (values !== undefined) for (const value of values) putValue(sink, value)
}

function takeOptionalValues(source: Source, words: BlockTexts): RecordedValue[] | undefined {
  const count = takeCount(source)
  return count === 0 ? undefined : Array.from({ length: count - 1 }, () => takeValue(source, words.salt))
}

/** A number of things of which each takes at least a byte, so that no short event makes a long list. */
function takeCount(source: Source): number {
  const count = takeNumber(source)
  if (count > source.end - source.offset + 1 || count > readerLimits.eventValues) {
    throw malformed('a list is longer than its event')
  }
  return count
}

function takeFlag(source: Source): boolean {
  const byte = takeByte(source)
  if (byte > 1) throw malformed('a flag is neither 0 nor 1')
  return byte === 1
}
