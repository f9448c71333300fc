/**
 * What a client says, as far as a session must understand it. Each takes a whole message, type byte and length included,
 * and gives `undefined` for one that is malformed.
 */

import type { Parameter } from '../../recording/event.ts'
import { createKnown } from './known.ts'

/** A whole message within a buffer: `start` is at its type byte. */
export type Frame = { readonly buffer: Buffer; readonly start: number; readonly end: number }

/** Text for people and guards, and whether it reads the same in every encoding that PostgreSQL takes. */
export type Text = { readonly text: string; readonly encoding: 'ascii' | 'utf8' | 'invalid' }

/** As PostgreSQL does, the text ends at the first zero byte, which must be the message's last. */
export function readQuery({ buffer, start, end }: Frame): Text | undefined {
  const from = start + 5
  return buffer.indexOf(0, from) === end - 1 ? decode(buffer, from, end - 1) : undefined
}

export type Parse = { readonly name: string; readonly text: Text }

export function readParse({ buffer, start, end }: Frame): Parse | undefined {
  const nameEnd = zeroFrom(buffer, start + 5, end)
  const textEnd = nameEnd < 0 ? -1 : zeroFrom(buffer, nameEnd + 1, end)
  if (textEnd < 0 || textEnd > end - 3) return undefined
  const count = buffer.readUInt16BE(textEnd + 1)
  if (textEnd + 3 + 4 * count !== end) return undefined
  return { name: nameAt(buffer, start + 5, nameEnd), text: preparedText(buffer, nameEnd + 1, textEnd) }
}

export type Bind = {
  readonly portal: string
  readonly statement: string
  readonly parameters: readonly Parameter[]
}

export function readBind({ buffer, start, end }: Frame): Bind | undefined {
  const portalEnd = zeroFrom(buffer, start + 5, end)
  const statementEnd = portalEnd < 0 ? -1 : zeroFrom(buffer, portalEnd + 1, end)
  const values = statementEnd < 0 ? undefined : readValues(buffer, statementEnd + 1, end)
  if (values === undefined || values.end > end - 2) return undefined
  if (values.end + 2 + 2 * buffer.readUInt16BE(values.end) !== end) return undefined
  const portal = nameAt(buffer, start + 5, portalEnd)
  return { portal, statement: nameAt(buffer, portalEnd + 1, statementEnd), parameters: values.parameters }
}

type Values = { readonly parameters: readonly Parameter[]; readonly end: number }

/** Formats and values. Copied: a recorder keeps them, and must not keep the chunk that they came in. */
function readValues(buffer: Buffer, start: number, end: number): Values | undefined {
  if (start > end - 4) return undefined
  const formats = buffer.readUInt16BE(start)
  let at = start + 2 + 2 * formats
  if (at > end - 2) return undefined
  const count = buffer.readUInt16BE(at)
  at += 2
  // None for all, one for all, or one for each.
  if (formats > 1 && formats !== count) return undefined
  const parameters: Parameter[] = []
  for (let i = 0; i < count; i++) {
    const size = at > end - 4 ? -2 : buffer.readInt32BE(at)
    at += 4
    if (size === -1) parameters.push(null)
    else {
      if (size < 0 || size > end - at) return undefined
      const format = formats === 0 ? 0 : buffer.readUInt16BE(start + 2 + (formats === 1 ? 0 : 2 * i))
      parameters.push(format === 0 ? textAt(buffer, at, at + size) : Uint8Array.from(buffer.subarray(at, at + size)))
      at += size
    }
  }
  return { parameters, end: at }
}

/** Of a Bind that reads: in which form the columns of its results are asked for. */
export function readResultFormats({ buffer, start, end }: Frame): readonly number[] {
  const portalEnd = zeroFrom(buffer, start + 5, end)
  const values = readValues(buffer, zeroFrom(buffer, portalEnd + 1, end) + 1, end)
  const at = values?.end ?? end
  const count = at > end - 2 ? 0 : buffer.readUInt16BE(at)
  return Array.from({ length: count }, (_, index) => buffer.readUInt16BE(at + 2 + 2 * index))
}

export type Execute = { readonly portal: string; readonly maxRows: number }

export function readExecute({ buffer, start, end }: Frame): Execute | undefined {
  const nameEnd = zeroFrom(buffer, start + 5, end)
  if (nameEnd < 0 || nameEnd + 5 !== end) return undefined
  return { portal: nameAt(buffer, start + 5, nameEnd), maxRows: buffer.readInt32BE(nameEnd + 1) }
}

export type Named = { readonly what: 'statement' | 'portal'; readonly name: string }

/** Of a Close or a Describe. */
export function readNamed({ buffer, start, end }: Frame): Named | undefined {
  const kind = buffer[start + 5]
  if (end < start + 7 || zeroFrom(buffer, start + 6, end) !== end - 1) return undefined
  if (kind !== 0x53 && kind !== 0x50) return undefined
  return { what: kind === 0x53 ? 'statement' : 'portal', name: nameAt(buffer, start + 6, end - 1) }
}

export type FunctionCall = { readonly oid: number; readonly parameters: readonly Parameter[] }

export function readFunctionCall({ buffer, start, end }: Frame): FunctionCall | undefined {
  const values = end < start + 9 ? undefined : readValues(buffer, start + 9, end)
  if (values === undefined || values.end + 2 !== end) return undefined
  return { oid: buffer.readUInt32BE(start + 5), parameters: values.parameters }
}

/** Names are short: asking Node costs more than looking. */
const lookBytes = 24

/** Where the next zero byte is, before the end; otherwise -1. */
function zeroFrom(buffer: Buffer, from: number, end: number): number {
  const soon = Math.min(end, from + lookBytes)
  for (let at = from; at < soon; at++) if (buffer[at] === 0) return at
  const found = soon < end ? buffer.indexOf(0, soon) : -1
  return found < end ? found : -1
}

const textAt = (buffer: Buffer, start: number, end: number): string =>
  start === end ? '' : buffer.toString('utf8', start, end)

/** The last names that were read: drivers number their statements, and the same few come again and again. */
const names = createKnown((name: string) => name, 16)

/** As {@link textAt}, for a name. */
function nameAt(buffer: Buffer, start: number, end: number): string {
  if (start === end) return ''
  const known = names.find(buffer, start, end)
  if (known !== undefined) return known
  const name = textAt(buffer, start, end)
  if (name.length === end - start && name.length <= lookBytes) names.add(name)
  return name
}

/** The last texts that were prepared: without names of their own, they are prepared for each use. */
const texts = createKnown(({ text }: Text) => text, 32)
const knownTextBytes = 1_024

function preparedText(buffer: Buffer, start: number, end: number): Text {
  if (end - start > knownTextBytes) return decode(buffer, start, end)
  const known = texts.find(buffer, start, end)
  if (known !== undefined) return known
  const text = decode(buffer, start, end)
  if (text.encoding === 'ascii') texts.add(text)
  return text
}

const replacement = '\ufffd'

function decode(buffer: Buffer, start: number, end: number): Text {
  const text = buffer.toString('utf8', start, end)
  // A byte that is not UTF-8 became one character as well, so that the lengths alone say nothing.
  if (!text.includes(replacement)) return { text, encoding: text.length === end - start ? 'ascii' : 'utf8' }
  return { text, encoding: Buffer.from(text).equals(buffer.subarray(start, end)) ? 'utf8' : 'invalid' }
}
