/**
 * Errors and notices. A cast that fails, a constraint and a function say values in what they report, so of a statement
 * that has to do with masked tables only what cannot have come from rows is passed on.
 */

import type { Frame } from '../postgres/wire/client-messages.ts'
import { createReader } from '../postgres/wire/reader.ts'
import { type Detecting, hidden } from './methods.ts'

/** By their codes, in order. */
export type ReportFields = ReadonlyMap<string, string>

/** `undefined`: malformed. */
export function readReport({ buffer, start, end }: Frame): ReportFields | undefined {
  const body = createReader(buffer, start + 5, end)
  const fields = new Map<string, string>()
  for (let code = body.byte(); code !== 0; code = body.byte()) fields.set(String.fromCharCode(code), body.text())
  return body.isDone() ? fields : undefined
}

export function writeReport(type: 'E' | 'N', fields: ReportFields): Buffer {
  const texts = [...fields].map(([code, text]) => Buffer.from(`${code}${text}\0`))
  const body = Buffer.concat([...texts, Buffer.alloc(1)])
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/**
 * Said of the session, not of rows: privileges, cancelling and ending, conflicts, locks, a transaction that only reads or
 * has failed, and resources that are used up.
 */
const ofTheSession = /^(?:42501|57...|40...|55P03|25...|53...|08...)$/

/** With a place in the text, it was found while reading that; one within a function has a query of its own. */
const isOfTheText = (fields: ReportFields): boolean => fields.has('P') && !fields.has('q') && !fields.has('W')

export function withheld(fields: ReportFields): ReportFields {
  const sqlstate = fields.get('C') ?? 'XX000'
  if (isOfTheText(fields) || ofTheSession.test(sqlstate)) return fields
  const kept = ['S', 'V', 'C'].flatMap((code) => {
    const text = fields.get(code)
    return text === undefined ? [] : [[code, text] as const]
  })
  const hint = 'The statement has to do with masked columns, and what the target says of it may hold their values.'
  return new Map([...kept, ['M', `the statement failed; why is withheld (SQLSTATE ${sqlstate})`], ['H', hint]])
}

/** Codes whose texts are for people. */
const texts = 'MDHWqcdtn'

export function scrubbed(fields: ReportFields, detecting: Detecting): ReportFields {
  const scrub = (text: string): string => {
    const found = detecting(text)
    return found === undefined ? text : (found ?? hidden)
  }
  return new Map([...fields].map(([code, text]) => [code, texts.includes(code) ? scrub(text) : text]))
}
