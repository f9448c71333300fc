/** What every client is asked to do through a gateway, and what has to come of it, whatever it is written in. */

import type { Credential } from '../support/access.ts'

export const answers = {
  /** 41 and 1, a text beyond ASCII, no value: bound. */
  parameters: [42, 'é', null],
  /** An int8, a numeric, a bytea and an array, in the binary form where the client asks for it. */
  binary: [7, '1.50', '00ff', [1, 2]],
  /** The sum of ten executions of one prepared statement, and whether the target has one. */
  prepared: [90, true],
  /** Rows of 500 insertions that wait for each other as little as the client can. */
  batch: 500,
  /** Rows that were copied in and out again. */
  copy: 10_000,
  /** Rows that were read by the hundred. */
  cursor: 1_000,
  /** The error, the one that follows from it, and what works after a rollback. */
  error: ['22012', '25P02', 1],
  notice: 'high water',
  notification: ['tide', 'out'],
  /** The length of one value. */
  large: 20_000_000,
  /** The error of the statement that was cancelled, and what works afterwards. */
  cancel: ['57014', 1],
} as const

export type Errand = keyof typeof answers

/** What a client says as it goes: its errands' answers, and then how it was sent away. */
export type Told = {
  readonly [errand in Errand]?: unknown
} & {
  readonly version?: string
  /** SQLSTATE and message of the statement that ran when access ended. */
  readonly ended?: readonly [string | null, string]
  /** The same of a session that was idle then, and said something afterwards. */
  readonly idle?: readonly [string | null, string]
  /** The message at the next attempt to come in. */
  readonly again?: string
}

export type Way = {
  readonly credential: Credential
  /** A file with the authority that has signed the gateway's certificate. Absent: without TLS. */
  readonly caFile: string | undefined
}

export type Cues = {
  /** Resolves when one more of the client's statements sleeps at the target. */
  readonly asleep: () => Promise<void>
  /** Both of the client's sessions are open, and one sleeps or is about to. */
  readonly waiting: () => void
}

/** `wait` is only to be there when access ends. */
export type Mission = 'errands' | 'wait'

export type Client = (mission: Mission, way: Way, cues: Cues) => Promise<Told>
