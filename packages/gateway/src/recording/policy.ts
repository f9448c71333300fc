/** What of a session is kept as it was, and what only as a commitment. */

import { commit } from '@tidegate/audit'
import type { Commitment, JsonValue } from '@tidegate/audit'
import type { Parameter, SessionEvent } from './event.ts'

export type RecordingPolicy = {
  /** Statements. Literals in them are text: to hide the values of simple queries too, commit to both. */
  readonly text: 'keep' | 'commit'
  /** Bound parameters. Messages of errors quote values, so they go the same way. */
  readonly parameters: 'keep' | 'commit'
  /** Results. They can show what the other two hide. */
  readonly rows: 'none' | 'keep' | 'commit'
}

/** Stands for a value that is not in the recording. `opens` of `@tidegate/audit` holds a value against it. */
export type Committed = {
  readonly commitment: Commitment
  /** Absent: not asked for, or erased. */
  readonly salt?: Uint8Array
}

export type RecordedText = string | Committed
export type RecordedValue = Parameter | Committed

/** Each event as it is recorded: what the policy hides has become a commitment. */
export type SealedEvent = Sealed<SessionEvent>

type Sealed<E extends SessionEvent> = E extends { readonly type: 'statement' }
  ? Omit<E, 'text' | 'parameters'> & { readonly text: RecordedText; readonly parameters?: readonly RecordedValue[] }
  : E extends { readonly type: 'result' }
    ? Omit<E, 'error'> & { readonly error?: { readonly sqlstate: string; readonly message: RecordedText } }
    : E extends { readonly type: 'refused' }
      ? Omit<E, 'message'> & { readonly message: RecordedText }
      : E extends { readonly type: 'rows' }
        ? Omit<E, 'rows'> & { readonly rows: readonly (readonly RecordedValue[])[] }
        : E

/** Makes the commitment to one value, with a fresh salt that it puts where salts are kept. */
type Hide = (value: Parameter) => Committed

/** The event under the policy. One of which nothing is hidden is the same object: most are. */
export function seal(event: SessionEvent, policy: RecordingPolicy, hide: Hide): SealedEvent {
  switch (event.type) {
    case 'statement':
      return sealStatement(event, policy, hide)
    case 'result':
      if (event.error === undefined || (policy.text === 'keep' && policy.parameters === 'keep')) return event
      return { ...event, error: { sqlstate: event.error.sqlstate, message: hide(event.error.message) } }
    case 'refused':
      return policy.text === 'keep' ? event : { ...event, message: hide(event.message) }
    case 'rows':
      return sealRows(event, policy, hide)
    case 'cancel':
      return event
  }
}

function sealStatement(
  event: Extract<SessionEvent, { type: 'statement' }>,
  policy: RecordingPolicy,
  hide: Hide,
): SealedEvent {
  const hidesParameters = policy.parameters === 'commit' && event.parameters !== undefined
  if (policy.text === 'keep' && !hidesParameters) return event
  return {
    ...event,
    ...(policy.text === 'commit' && { text: hide(event.text) }),
    ...(hidesParameters && { parameters: event.parameters.map(hide) }),
  }
}

/** Names of columns are made up in the statement, and go where it goes. */
function sealRows(event: Extract<SessionEvent, { type: 'rows' }>, policy: RecordingPolicy, hide: Hide): SealedEvent {
  const { columns, ...rest } = event
  const named = policy.text === 'keep' && columns !== undefined ? { columns } : {}
  if (policy.rows === 'commit') return { ...rest, ...named, rows: event.rows.map((row) => row.map(hide)) }
  return policy.text === 'keep' ? event : rest
}

/** What a commitment is made to: text as its UTF-8 has it, `{base64}` for bytes, null for null. */
export function committedForm(value: Parameter): JsonValue {
  if (value === null) return null
  if (typeof value === 'string') return surrogate.test(value) ? Buffer.from(value).toString() : value
  return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
}

/** A lone surrogate has no UTF-8 form; it becomes U+FFFD here as it does where text is kept. */
const surrogate = /\p{Surrogate}/u

export const hideUnder = (value: Parameter, salt: Uint8Array): Committed => ({
  commitment: commit(committedForm(value), salt),
})
