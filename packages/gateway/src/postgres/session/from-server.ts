/** What a target says: which of the outstanding it answers, and whether the client gets it as it is. */

import { readError, readParameterStatus, readStatus } from '../wire/server-messages.ts'
import { errorResponse } from '../wire/write.ts'
import { commandTag } from './command-tag.ts'
import type { Message } from './message.ts'
import type { Operation, OperationKind } from './outstanding.ts'
import { forgetColumns, keepCopyRow, keepRow, noteColumns, noteCopyForm, recordRows } from './keeping-rows.ts'
import { maskCopyRow, maskReport, maskRow, noteCopy, noteDescription } from './masking.ts'
import { readingProblem } from './reading.ts'
import { recordResult, recordStatement } from './recording.ts'
import { capped, confirm, discard, end, forward, type State, targetViolation, type Verdict } from './state.ts'

type Handler = (state: State, message: Message) => Verdict

const malformed = (name: string): Verdict => targetViolation(`a malformed ${name}`)
const outOfTurn = targetViolation('an answer to something that was not asked')

const onRow: Handler = (state, message) => {
  state.dataRows++
  const counted = count(state, message.length)
  const verdict = state.ports.mask === undefined || counted !== forward ? counted : maskRow(state, message)
  if (state.ports.recorder.keepsRows) keepRow(state, message, verdict)
  return verdict
}

const onCopyData: Handler = (state, message) => {
  const counted = count(state, message.length)
  const verdict = state.ports.mask === undefined || counted !== forward ? counted : maskCopyRow(state, message)
  if (state.ports.recorder.keepsRows) keepCopyRow(state, message, verdict)
  return verdict
}

function count(state: State, sizeBytes: number): Verdict {
  state.bytes += sizeBytes
  const objection = state.ports.caps?.row(sizeBytes)
  return objection === undefined ? forward : capped(objection)
}

/** The answer that is all there is to one operation. */
const answers =
  (kind: OperationKind): Handler =>
  (state) => {
    if (state.outstanding.head()?.kind !== kind) return outOfTurn
    const naming = state.outstanding.shift()?.naming
    if (naming !== undefined) confirm(state, naming)
    return forward
  }

/** RowDescription and NoData: of a Describe, or within a query. */
const onDescription: Handler = (state, message) => {
  const noted = state.ports.mask !== undefined && isRows(message) ? noteDescription(state, message) : forward
  if (isRows(message)) noteColumns(state, message)
  if (state.outstanding.head()?.kind === 'describe') state.outstanding.shift()
  return noted
}

const isRows = ({ type }: Message): boolean => type === 0x54

const onComplete: Handler = (state, message) => {
  const tag = commandTag(message)
  if (tag === undefined) return malformed('CommandComplete')
  if (tag.mayChangeNames) state.statements.forget()
  state.tag = tag.text
  state.rows += tag.rows ?? state.dataRows
  const objection = tag.changesRows ? state.ports.caps?.changed(tag.rows ?? 0) : undefined
  if (objection !== undefined) return capped(objection)
  state.dataRows = 0
  return finishExecution(state)
}

/** PortalSuspended and EmptyQueryResponse. */
const onPause: Handler = (state) => {
  state.rows += state.dataRows
  state.dataRows = 0
  return finishExecution(state)
}

function finishExecution(state: State): Verdict {
  recordRows(state)
  forgetColumns(state)
  const head = state.outstanding.head()
  if (head?.kind === 'query') {
    head.results?.next()
    return forward
  }
  if (head?.kind !== 'execute') return outOfTurn
  state.copyIn = false
  state.outstanding.shift()
  recordResult(state, head)
  return forward
}

const onReady: Handler = (state, message) => {
  const status = readStatus(message)
  if (status === undefined) return malformed('ReadyForQuery')
  const head = state.outstanding.shift()
  if (head === undefined || !endsWithReady.has(head.kind)) return outOfTurn
  if (head.kind !== 'sync') recordResult(state, head)
  state.copyIn = false
  state.error = undefined
  // Portals do not outlive their transaction.
  if (status === 'idle') state.portals.forget()
  if (state.outstanding.size() === 0) state.settled = true
  return forward
}

const endsWithReady: ReadonlySet<OperationKind> = new Set(['query', 'call', 'sync'])

const onError: Handler = (state, message) => {
  const error = readError(message)
  if (error === undefined) return malformed('ErrorResponse')
  state.copyIn = false
  state.fatal ||= error.severity !== 'ERROR'
  const head = state.outstanding.head()
  if (head === undefined) return maskReport(state, message, 'E')
  const refused = state.fatal ? undefined : head.refusal
  const { sqlstate, message: words } = refused ?? error
  state.error = { sqlstate, message: words }
  const told: Verdict =
    refused === undefined ? maskReport(state, message, 'E') : { do: 'replace', bytes: errorResponse(refused) }
  if (state.fatal) recordResult(state, head)
  else if (head.kind === 'sync') recordResult(state, { ...head, statement: state.lastStatement })
  else if (!endsWithReady.has(head.kind)) failBatch(state, { sqlstate, message: words })
  return told
}

/** The target skips to the next Sync: what was sent of the batch has failed, and what is still to come will be read over. */
function failBatch(state: State, error: NonNullable<State['error']>): void {
  const [cause, ...skipped] = takeBatch(state)
  if (cause === undefined) return
  const failed = withStatement(state, cause, skipped)
  recordResult(state, failed)
  const told = new Set([failed.statement])
  for (const operation of skipped) {
    if (told.has(operation.statement)) continue
    told.add(operation.statement)
    state.error = { sqlstate: error.sqlstate, message: 'skipped after an error' }
    recordResult(state, operation)
  }
}

/** What is outstanding up to the next Sync, or all of it. */
function takeBatch(state: State): readonly Operation[] {
  const batch: Operation[] = []
  for (let head = state.outstanding.head(); head?.kind !== 'sync'; head = state.outstanding.head()) {
    if (head === undefined) {
      state.skipping = true
      break
    }
    state.outstanding.shift()
    if (head.naming !== undefined) discard(state, head.naming)
    batch.push(head)
  }
  return batch
}

/** A Parse that fails is its first use's failure; without any, it is recorded now. */
function withStatement(state: State, cause: Operation, skipped: readonly Operation[]): Operation {
  const { kind, text, statement } = cause
  if (kind !== 'parse' || text === undefined || statement > 0) return cause
  const use = skipped.find((operation) => operation.kind === 'bind' && operation.text === text)
  return { ...cause, statement: use?.statement ?? recordStatement(state, { protocol: 'extended', text }) }
}

const onParameterStatus: Handler = (_state, message) => {
  const parameter = readParameterStatus(message)
  if (parameter === undefined) return malformed('ParameterStatus')
  const problem = readingProblem(parameter.name, parameter.value)
  return problem === undefined ? forward : end('42501', problem)
}

/**
 * From here on the client sends copy data. What it sent before knowing that is read as such: a Sync is read over, the
 * end of the data is taken; anything else makes the target break the session off.
 */
const onCopyIn: Handler = (state) => {
  const { outstanding } = state
  const head = outstanding.head()
  if (head?.kind !== 'query' && head?.kind !== 'execute') return outOfTurn
  while (outstanding.afterHead()?.kind === 'sync') outstanding.removeAfterHead()
  const next = outstanding.afterHead()
  state.copyIn = next === undefined
  if (next?.kind === 'copy-end') outstanding.removeAfterHead()
  return forward
}

const onCopyOut: Handler = (state, message) => {
  noteCopyForm(state, message)
  return state.ports.mask === undefined ? forward : noteCopy(state, message)
}

const onCopyBoth: Handler = () => end('0A000', 'replication does not go through Tidegate')

const pass: Handler = () => forward

const handlers: Readonly<Record<string, Handler>> = {
  D: onRow,
  d: onCopyData,
  T: onDescription,
  n: onDescription,
  t: pass,
  V: pass,
  A: pass,
  N: (state, message) => maskReport(state, message, 'N'),
  c: pass,
  H: onCopyOut,
  '1': answers('parse'),
  '2': answers('bind'),
  '3': answers('close'),
  C: onComplete,
  I: onPause,
  s: onPause,
  Z: onReady,
  E: onError,
  S: onParameterStatus,
  G: onCopyIn,
  W: onCopyBoth,
}

const byType = Array.from({ length: 256 }, (_, byte) => handlers[String.fromCharCode(byte)])

/** What may come at any time, whatever is being answered. */
const atAnyTime: ReadonlySet<number> = new Set(['N', 'A', 'S', 'E'].map((type) => type.charCodeAt(0)))

export function fromServer(state: State, message: Message): Verdict {
  const head = state.outstanding.head()
  // What stands in for a refused statement fails, or this target is not what we take it for.
  if (head?.refusal !== undefined && state.error === undefined && !atAnyTime.has(message.type)) {
    return targetViolation('something other than an error to what was refused')
  }
  return byType[message.type]?.(state, message) ?? targetViolation('a message that has no place here')
}
