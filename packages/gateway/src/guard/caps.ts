/** Counts what one statement returns and changes against the caps of its rules. The session enforces what it says. */

import type { GuardRules } from './rules.ts'
import type { Refusal } from './ruling.ts'

export type Caps = Pick<GuardRules, 'maxRows' | 'maxBytes'>

export type CapCounter = {
  /** A DataRow or CopyData message on its way to the client. `undefined` while it may go on. */
  readonly row: (sizeBytes: number) => Refusal | undefined
  /** Rows that a CommandComplete says were changed. They are changed: what is left is to roll back, or to end. */
  readonly changed: (rows: number) => Refusal | undefined
  /** The next statement begins at nothing. */
  readonly reset: () => void
}

export function createCapCounter({ maxRows = Infinity, maxBytes = Infinity }: Caps): CapCounter {
  let rows = 0
  let bytes = 0

  const over = (): Refusal | undefined => {
    if (rows > maxRows) return refusal('max-rows', `more than ${maxRows} rows`)
    return bytes > maxBytes ? refusal('max-bytes', `more than ${maxBytes} bytes`) : undefined
  }

  return {
    row: (sizeBytes) => {
      rows += 1
      bytes += sizeBytes
      return over()
    },
    changed: (count) => {
      rows += count
      return over()
    },
    reset: () => {
      rows = 0
      bytes = 0
    },
  }
}

const refusal = (rule: string, what: string): Refusal => ({
  ruling: 'refuse',
  rule,
  message: `one statement may not return or change ${what}`,
  remedy: 'Ask for less at once, with LIMIT or a narrower condition.',
})
