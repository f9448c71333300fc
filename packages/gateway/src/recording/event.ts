/** What happened in a session, as the session tells its recorder. */

import type { Instant } from '@tidegate/core'

/** A bound parameter: text as it was sent, bytes of the binary format, or SQL's null. */
export type Parameter = string | Uint8Array | null

export type SessionEvent =
  | {
      readonly type: 'statement'
      readonly at: Instant
      /** Counts the statements of a session from 1. What comes of one names it. */
      readonly statement: number
      readonly protocol: 'simple' | 'extended'
      readonly text: string
      readonly parameters?: readonly Parameter[]
    }
  | {
      /** Of the last command of a simple query, or of one execution. */
      readonly type: 'result'
      readonly at: Instant
      readonly statement: number
      /** Kept to the microsecond. */
      readonly durationMs: number
      readonly rows: number
      /** Of row and copy data, either way, as on the wire. */
      readonly bytes: number
      /** As in CommandComplete: `SELECT 5`. Absent: there was none. */
      readonly tag?: string
      readonly error?: { readonly sqlstate: string; readonly message: string }
    }
  | {
      /** Never sent to the target. */
      readonly type: 'refused'
      readonly at: Instant
      readonly statement: number
      readonly rule: string
      readonly message: string
    }
  | { readonly type: 'cancel'; readonly at: Instant; readonly statement: number }
  | {
      /** Rows that went to the client, in one event or in several. What the limits leave no room for is not kept. */
      readonly type: 'rows'
      readonly at: Instant
      readonly statement: number
      /** Names, as in RowDescription. Absent: as in the event before, or there are none. */
      readonly columns?: readonly string[]
      readonly rows: readonly (readonly Parameter[])[]
      /** There were more. Set by the recorder; a session that stops early may set it too. */
      readonly truncated?: true
    }

/** Records one session. Nothing here throws or waits: the session decides what to do about a recorder in trouble. */
export type SessionRecorder = {
  /** The event is encoded later: it, and the bytes that it points into, are not changed any more. */
  readonly record: (event: SessionEvent) => void
  /** Whether rows of results are recorded at all. */
  readonly keepsRows: boolean
  /** Whether rows of this statement would be kept: a session need not gather those that are not. */
  readonly wantsRows: (statement: number) => boolean
  /** While the recorder cannot keep up: resolves when it can take more. `undefined`: go on. */
  readonly pressure: () => Promise<void> | undefined
  /** Resolves when what was recorded can no longer be written, with the reason, a clause for people. */
  readonly failed: Promise<string>
  /** Writes what is there and closes. Resolves when it is on disk. Twice is once. */
  readonly end: () => Promise<void>
}
