/** What a session tells its recorder, and when. */

import type { Parameter } from '../../recording/event.ts'
import type { Operation } from './outstanding.ts'
import { recordRows } from './keeping-rows.ts'
import { momentOf } from './moment.ts'
import type { State } from './state.ts'

type Statement = {
  readonly protocol: 'simple' | 'extended'
  readonly text: string
  readonly parameters?: readonly Parameter[]
}

/** Before it is sent. Its number. */
export function recordStatement(state: State, { protocol, text, parameters }: Statement): number {
  const { recorder } = state.ports
  const statement = ++state.count
  const { at } = momentOf(state)
  if (parameters === undefined || parameters.length === 0) {
    recorder.record({ type: 'statement', at, statement, protocol, text })
  } else recorder.record({ type: 'statement', at, statement, protocol, text, parameters })
  return statement
}

export function recordRefusal(state: State, refused: { statement: number; rule: string; message: string }): void {
  state.ports.recorder.record({ type: 'refused', at: momentOf(state).at, ...refused })
}

/** What came of an operation, by what was counted since the last result; counts anew from here. */
export function recordResult(state: State, { statement, sentMs }: Operation): void {
  const { recorder } = state.ports
  const { rows, bytes, tag, error } = state
  recordRows(state)
  state.ports.caps?.reset()
  state.rows = 0
  state.dataRows = 0
  state.bytes = 0
  state.tag = undefined
  state.error = undefined
  if (statement === 0) return
  state.lastStatement = statement
  const { at, elapsedMs } = momentOf(state)
  const durationMs = Math.max(0, elapsedMs - sentMs)
  // Nearly all have a tag and no error: for these there is one shape, and no copying.
  if (tag !== undefined && error === undefined) {
    recorder.record({ type: 'result', at, statement, durationMs, rows, bytes, tag })
    return
  }
  const result = { type: 'result', at, statement, durationMs, rows, bytes } as const
  recorder.record({ ...result, ...(tag !== undefined && { tag }), ...(error !== undefined && { error }) })
}
