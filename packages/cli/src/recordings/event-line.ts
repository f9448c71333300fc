/** An event of a recording as a line. */

import { formatInstant } from '@tidegate/core'
import type { RecordedEvent, RecordedText, RecordedValue, TooLong } from '@tidegate/gateway'
import type { Context } from '../context.ts'
import type { Part } from '../output.ts'
import { bold, counted, dim, styled } from '../output.ts'
import { precise } from '../words/times.ts'

type Clock = Pick<Context, 'now' | 'timeZone'>

export function eventLine(clock: Clock, event: RecordedEvent | TooLong): readonly Part[] {
  if (event.type === 'too-long') return [dim(`an event of ${event.bytes} bytes is not shown; export has it`)]
  return [dim(`${precise(clock, formatInstant(event.at))} #${event.statement} `), ...words(event)]
}

function words(event: RecordedEvent): readonly Part[] {
  switch (event.type) {
    case 'statement':
      return [bold(shown(event.text)), dim((event.parameters ?? []).map(parameterWords).join(''))]
    case 'result':
      return event.error === undefined ? [resultWords(event)] : [styled('red', errorWords(event.error))]
    case 'refused':
      return [styled('red', `refused by ${event.rule}: ${shown(event.message)}`)]
    case 'cancel':
      return [styled('yellow', 'cancelled by its client')]
    case 'rows':
      return [`${counted(event.rows.length, 'row', 'rows')} kept${event.truncated === true ? ', of more' : ''}`]
  }
}

const resultWords = ({ tag, rows, durationMs }: Extract<RecordedEvent, { type: 'result' }>): string =>
  `${tag ?? 'done'}: ${counted(rows, 'row', 'rows')} in ${durationMs.toFixed(1)} ms`

type Fault = NonNullable<Extract<RecordedEvent, { type: 'result' }>['error']>

const errorWords = ({ sqlstate, message }: Fault): string => `error ${sqlstate}: ${shown(message)}`

const parameterWords = (value: RecordedValue, index: number): string => ` $${index + 1}=${valueWords(value)}`

function valueWords(value: RecordedValue): string {
  if (value === null) return 'null'
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return typeof value === 'string' ? JSON.stringify(value) : hidden
}

/** A commitment says nothing to people. */
const shown = (text: RecordedText): string => (typeof text === 'string' ? text : hidden)
const hidden = '(sealed)'
