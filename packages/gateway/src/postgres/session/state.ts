/** Where a session stands: what both directions of its conversation read and change. */

import type { Instant } from '@tidegate/core'
import type { Asking, Guard } from '../../guard/ruling.ts'
import type { SessionMask } from '../../mask/mask.ts'
import type { Parameter, SessionRecorder } from '../../recording/event.ts'
import type { Report } from '../wire/write.ts'
import { hintOf, type Objection } from './refusal.ts'
import { type KeptRows, noRows } from './keeping-rows.ts'
import { type Moment, momentOf } from './moment.ts'
import { createNames, type Names } from './names.ts'
import { createOutstanding, type Naming, type Operation, type Outstanding } from './outstanding.ts'
import type { Portal, Prepared } from './prepared.ts'

export type DialoguePorts = {
  readonly recorder: SessionRecorder
  /** Absent: nothing is judged. */
  readonly guard: Guard | undefined
  /** Absent: results are shown as they are. */
  readonly mask: SessionMask | undefined
  /** Absent: a statement may return and change what it likes. */
  readonly caps: Caps | undefined
  readonly now: () => Instant
  /** Of a clock that only goes forward, for durations. */
  readonly elapsedMs: () => number
}

/** Counts what one statement returns and changes. An objection ends the session: what it got so far, it has. */
export type Caps = {
  readonly row: (sizeBytes: number) => Objection | undefined
  readonly changed: (rows: number) => Objection | undefined
  readonly reset: () => void
}

export type State = {
  readonly ports: DialoguePorts
  readonly outstanding: Outstanding
  readonly statements: Names<Prepared>
  readonly portals: Names<Portal>
  /** Statements so far. */
  count: number
  /** Syncs so far. */
  batch: number
  /** What the client says up to its next Sync is read over: something before it failed. */
  skipping: boolean
  /** The target reads copy data, and nothing else. */
  copyIn: boolean
  /** Nothing is under way that may change how texts are read. */
  settled: boolean
  /** The current batch has something that may, so that only its end settles. */
  batchMayChangeReading: boolean
  /** Of what is being answered. */
  rows: number
  dataRows: number
  bytes: number
  tag: string | undefined
  error: { readonly sqlstate: string; readonly message: string } | undefined
  /** The last one that was answered: an error at a Sync is its. */
  lastStatement: number
  /** The target has said that it ends the session. */
  fatal: boolean
  /** When what is being dealt with came: read once for all of it. Absent: not yet. */
  moment: Moment | undefined
  readonly kept: KeptRows
}

export const createState = (ports: DialoguePorts): State => ({
  ports,
  outstanding: createOutstanding(),
  statements: createNames(({ text }) => text.length),
  portals: createNames(() => 0),
  count: 0,
  batch: 0,
  skipping: false,
  copyIn: false,
  settled: true,
  batchMayChangeReading: false,
  rows: 0,
  dataRows: 0,
  bytes: 0,
  tag: undefined,
  error: undefined,
  lastStatement: 0,
  fatal: false,
  moment: undefined,
  kept: noRows(),
})

/** What is to be done with a message. */
export type Verdict =
  | { readonly do: 'forward' }
  | { readonly do: 'drop' }
  | { readonly do: 'replace'; readonly bytes: Buffer }
  /** Asked again once the target has answered more. */
  | { readonly do: 'wait' }
  | { readonly do: 'ask'; readonly question: Question }
  /** The client says goodbye. */
  | { readonly do: 'terminate' }
  | { readonly do: 'end'; readonly report: Report }

/** One statement that an approver must see first. */
export type Question = Pick<Asking, 'rule' | 'message' | 'approvers' | 'withinMs'> & {
  readonly statement: number
  readonly text: string
  readonly parameters?: readonly Parameter[]
  /** What is to be done with the message, now that it is answered. */
  readonly settle: (answer: Answer | 'given-up') => Verdict
}

/** A no may say why, in a clause for whoever waits. */
export type Answer = 'yes' | 'no' | { readonly no: string }

export const forward: Verdict = { do: 'forward' }
export const drop: Verdict = { do: 'drop' }
export const wait: Verdict = { do: 'wait' }

export const end = (sqlstate: string, message: string): Verdict => ({
  do: 'end',
  report: { severity: 'FATAL', sqlstate, message },
})

/** Too much came of a statement. It cannot be taken back, and what is still to come is not given. */
export const capped = (objection: Objection): Verdict => ({
  do: 'end',
  report: { severity: 'FATAL', sqlstate: '54000', message: objection.message, hint: hintOf(objection) },
})

/** The client broke the protocol. */
export const clientViolation = (what: string): Verdict => end('08P01', `the client sent ${what}`)
/** The target did. */
export const targetViolation = (what: string): Verdict => end('08P01', `the target sent ${what}`)

/** It was sent, or is about to be. */
export function expectAnswer(state: State, operation: Operation): void {
  operation.sentMs = momentOf(state).elapsedMs
  state.outstanding.push(operation)
}

export function propose({ statements, portals }: State, naming: Naming): void {
  if (naming.of === 'statement') statements.propose(naming.change)
  else portals.propose(naming.change)
}

/** The target has done it. */
export function confirm({ statements, portals }: State, naming: Naming): void {
  if (naming.of === 'statement') statements.confirm(naming.change)
  else portals.confirm(naming.change)
}

/** The target has failed or skipped it. */
export function discard({ statements, portals }: State, naming: Naming): void {
  if (naming.of === 'statement') statements.discard(naming.change)
  else portals.discard(naming.change)
}
