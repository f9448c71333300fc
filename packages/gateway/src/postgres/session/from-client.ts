/** What a client says, and whether the target gets it. */

import { postgresLimits as limits } from '../limits.ts'
import { onBind, onClose, onDescribe, onExecute, onParse, onSync } from './extended.ts'
import type { Message } from './message.ts'
import { operation } from './outstanding.ts'
import { onFunctionCall, onQuery } from './simple.ts'
import { clientViolation, drop, expectAnswer, forward, type State, type Verdict, wait } from './state.ts'

type Handler = (state: State, message: Message) => Verdict

const onCopyData: Handler = (state, { length }) => {
  if (state.copyIn) state.bytes += length
  return forward
}

/** CopyDone and CopyFail. Perhaps before the target has said that it copies: then it counts when it gets there. */
const onCopyEnd: Handler = (state) => {
  if (state.copyIn) state.copyIn = false
  else if (state.outstanding.size() > 0) expectAnswer(state, operation('copy-end', 0))
  return forward
}

const terminate: Verdict = { do: 'terminate' }

const handlers: Readonly<Record<string, Handler>> = {
  Q: onQuery,
  F: onFunctionCall,
  P: onParse,
  B: onBind,
  D: onDescribe,
  E: onExecute,
  C: onClose,
  S: onSync,
  H: () => forward,
  d: onCopyData,
  c: onCopyEnd,
  f: onCopyEnd,
  X: () => terminate,
}

const byType = Array.from({ length: 256 }, (_, byte) => handlers[String.fromCharCode(byte)])
const bytesOf = (types: string): ReadonlySet<number> => new Set([...types].map((type) => type.charCodeAt(0)))

/** What still counts after an error: the target reads over everything else. */
const endsSkipping = bytesOf('SX')
const inCopy = bytesOf('dcfHSX')

/** Whoever is told to wait asks again for the same message: until then nothing has changed. */
export function fromClient(state: State, message: Message): Verdict {
  if (state.skipping && !endsSkipping.has(message.type)) return drop
  if (state.copyIn && !inCopy.has(message.type)) return clientViolation('something else in the middle of a COPY')
  if (state.outstanding.size() >= limits.outstanding) return wait
  return byType[message.type]?.(state, message) ?? clientViolation('a message that has no place here')
}
