/** What a CommandComplete says. */

import { createKnown } from '../wire/known.ts'
import { readTag } from '../wire/server-messages.ts'
import type { Message } from './message.ts'
import { mayChangeNames } from './reading.ts'

export type CommandTag = {
  readonly text: string
  readonly rows: number | undefined
  readonly changesRows: boolean
  readonly mayChangeNames: boolean
}

/** Those that were read last, by any session: there are few. */
const known = createKnown(({ text }: CommandTag) => text, 8)

/** `undefined`: malformed. */
export function commandTag(message: Message): CommandTag | undefined {
  const { buffer, start, end } = message
  const last = buffer[end - 1] === 0 ? known.find(buffer, start + 5, end - 1) : undefined
  if (last !== undefined) return last
  const text = readTag(message)
  if (text === undefined) return undefined
  const tag = { text, rows: rowsOf(text), changesRows: changesRows.test(text), mayChangeNames: mayChangeNames(text) }
  if (text.length <= longestKnown) known.add(tag)
  return tag
}

const longestKnown = 32

const changesRows = /^(?:INSERT|UPDATE|DELETE|MERGE)/

/** `INSERT 0 5`, `SELECT 5`; `undefined` for `BEGIN`. */
function rowsOf(tag: string): number | undefined {
  const count = tag.slice(tag.lastIndexOf(' ') + 1)
  return /^\d+$/.test(count) ? Number(count) : undefined
}
