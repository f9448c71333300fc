/** A recording as JSON Lines, for other programs: names in full, times in RFC 3339, bytes in base64. */

import { formatInstant } from '@tidegate/core'
import type { Head } from './format/head.ts'
import type { RecordingHeader } from './format/header.ts'
import type { ArrivingItem } from './read/arriving.ts'
import type { TooLong } from './read/events.ts'
import { scanRecording } from './read/scan.ts'
import { verdictOf } from './read/verify.ts'
import type { RecordingVerdict } from './read/verify.ts'
import type { RecordedEvent } from './write/watch.ts'

export type ExportOptions = {
  readonly head?: Head
  readonly salts?: boolean
}

/**
 * Lines, each with its newline: `recording`, the events, and at last the `verdict`. An export without its verdict was
 * cut. Does not reject for what does not hold: it ends there, and the verdict says what it was.
 */
export async function* exportRecording(folder: string, options: ExportOptions = {}): AsyncGenerator<string> {
  for await (const item of scanRecording(folder, options)) {
    if (item.item !== 'over') yield lineOf(item)
    else yield lineOf({ item: 'verdict', verdict: await verdictOf(folder, item.outcome, { head: options.head }) })
  }
}

/** One line of an export, with its newline. */
export function lineOf(item: ArrivingItem): string {
  if (item.item === 'header') return line(headerForm(item.header))
  return line(item.item === 'event' ? eventForm(item.event) : verdictForm(item.verdict))
}

/** One event as a line has it: for `follow` and `watch` too. */
export function eventForm(event: RecordedEvent | TooLong): Readonly<Record<string, unknown>> {
  if (event.type === 'too-long') return event
  const { type, sequence, at, ...fields } = event
  const readable = Object.entries(fields).map(([name, value]) => [name, valueForm(value)])
  return { type, sequence, at: formatInstant(at), ...(Object.fromEntries(readable) as object) }
}

const headerForm = ({ started, segment: _segment, ...header }: RecordingHeader): unknown => ({
  type: 'recording',
  ...header,
  started: formatInstant(started),
})

/** Without the header, which is the first line. */
const verdictForm = (verdict: RecordingVerdict): unknown => ({ type: 'verdict', ...verdict, header: undefined })

/** `{base64}` for bytes, `{commitment}` and perhaps `{salt}` for what is hidden; a text, null and a number are themselves. */
function valueForm(value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(valueForm)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, inner]) => [
    name,
    name === 'salt' ? saltForm(inner) : valueForm(inner),
  ])
  return Object.fromEntries(entries)
}

const saltForm = (salt: unknown): unknown =>
  salt instanceof Uint8Array ? Buffer.from(salt).toString('base64url') : salt

const line = (value: unknown): string => `${JSON.stringify(value)}\n`
