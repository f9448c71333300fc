/**
 * Settings of the session that decide how the target reads a text. A guard reads UTF-8 with standard strings; were the
 * target to read the same bytes in another way, what was judged and what runs would be two statements.
 */

import type { Text } from '../wire/client-messages.ts'

const expected: Readonly<Record<string, string>> = { client_encoding: 'UTF8', standard_conforming_strings: 'on' }

/** What is wrong with a setting that the target reports; `undefined` for nothing. */
export function readingProblem(name: string, value: string): string | undefined {
  const wanted = Object.hasOwn(expected, name) ? expected[name] : undefined
  if (wanted === undefined || wanted === value) return undefined
  return `${name} must stay ${wanted} in a session through Tidegate; it became ${value.slice(0, 32)}`
}

/** Read the same whatever these settings are: ASCII in every encoding there is, and nothing to escape. */
export const readsTheSame = ({ text, encoding }: Text): boolean => encoding === 'ascii' && !text.includes('\\')

const transactionOnly =
  /^\s*(?:begin|start\s+transaction|commit|end|rollback|abort|savepoint|release)(?:[\s,;]+[a-z_]+)*[\s;]*$/i

/** Whether a single statement may change these settings: all but the plainest can call a function that does. */
export const mayChangeReading = (text: string): boolean => !transactionOnly.test(text)

const takesNamesAway = /deallocate|discard/i

/** Whether prepared statements may stand for something else afterwards. */
export const mayChangeNames = (text: string): boolean => takesNamesAway.test(text)
