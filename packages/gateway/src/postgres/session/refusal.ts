/**
 * How a statement is refused so that the session goes on as after any other error. In its place the target gets text
 * that no PostgreSQL can parse: it fails, aborts the transaction if there is one, skips to the next Sync if it must, and
 * answers in its order. Only what the error says is ours.
 */

import { parse, query, type Report } from '../wire/write.ts'

export type Refusal = Report

/** It shows in the target's log, where someone may wonder. A syntax error, whatever is installed and whoever asks. */
const failing = 'REFUSED BY TIDEGATE'

export const failingQuery = query(failing)
/** Named, so that the unnamed statement stays; never made, so that the name stays free. */
export const failingParse = parse('tidegate_refused', failing)

/** Why something is refused, in a guard's words. */
export type Objection = { readonly rule: string; readonly message: string; readonly remedy?: string }

export const refusal = ({ rule, message, remedy }: Objection): Refusal => ({
  severity: 'ERROR',
  sqlstate: '42501',
  message,
  detail: 'The statement did not reach the target.',
  hint: hintOf({ rule, remedy }),
})

export const hintOf = ({ rule, remedy }: { readonly rule: string; readonly remedy?: string | undefined }): string =>
  `This is the rule "${rule}" of your access.${remedy === undefined ? '' : ` ${remedy}`}`

/** The client gave up waiting for an approver. */
export const givenUp: Refusal = {
  severity: 'ERROR',
  sqlstate: '57014',
  message: 'canceling statement due to user request',
  detail: 'It was waiting for approval, and did not reach the target.',
}
