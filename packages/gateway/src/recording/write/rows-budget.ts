/** How much of a session's results there is room for: so much of each statement, so much of all. */

import { roomForValue } from '../format/bytes.ts'
import type { SessionEvent } from '../event.ts'
import type { RecorderLimits } from '../limits.ts'

type Rows = Extract<SessionEvent, { type: 'rows' }>

export type RowsBudget = {
  /** As much of it as there is room for, marked where that is not all. `undefined`: the mark has been made before. */
  readonly fit: (event: Rows) => Rows | undefined
  /** Whether rows of this statement would be kept. */
  readonly has: (statement: number) => boolean
}

export function createRowsBudget({ perStatementBytes, perSessionBytes }: RecorderLimits['rows']): RowsBudget {
  let sessionLeft = perSessionBytes
  // Results come one after the other, so that only the latest statement's need be remembered.
  let current = { statement: 0, left: perStatementBytes, isCut: false }

  const of = (statement: number): typeof current => {
    if (current.statement !== statement) current = { statement, left: perStatementBytes, isCut: false }
    return current
  }

  return {
    fit(event) {
      const own = of(event.statement)
      if (own.isCut) return undefined
      let count = 0
      for (const row of event.rows) {
        const bytes = row.reduce((sum, value) => sum + roomForValue(value), 1)
        if (bytes > Math.min(own.left, sessionLeft)) break
        own.left -= bytes
        sessionLeft -= bytes
        count += 1
      }
      own.isCut = count < event.rows.length
      return own.isCut ? { ...event, rows: event.rows.slice(0, count), truncated: true } : event
    },
    has: (statement) => sessionLeft > 0 && !of(statement).isCut,
  }
}
