/** Where a mask comes in: what it has to know of each statement, and what it makes of each answer. */

import { withheld, readReport, scrubbed, writeReport } from '../../mask/reports.ts'
import type { Results, Rewritten } from '../../mask/results.ts'
import type { Plan } from '../../mask/plan.ts'
import type { Message } from './message.ts'
import { drop, forward, type State, targetViolation, type Verdict } from './state.ts'

/** Of what could be judged once and cannot be any more. */
const everything: Plan = { outputs: () => true, isNamed: false, givesName: true, touches: true, goesOn: false }

/** Of a text that is about to be sent. */
export const resultsOf = (state: State, text: string): Results | undefined => begin(state, text, { isPrepared: false })

/** Of one that is prepared: SQL can run that by its name too. */
export const preparedResultsOf = (state: State, text: string): Results | undefined =>
  begin(state, text, { isPrepared: true })

type How = { readonly isPrepared: boolean }

function begin({ ports: { mask } }: State, text: string, { isPrepared }: How): Results | undefined {
  if (mask === undefined) return undefined
  const judged = mask.judge(text)
  const readable = 'plans' in judged ? judged : { plans: [everything] }
  const { plans } = readable
  if (plans.some(({ touches }) => touches)) mask.touched()
  if (isPrepared && plans.some(({ touches }) => touches)) mask.named()
  if (plans.some(({ givesName }) => givesName)) mask.namedBySql()
  return mask.results(readable)
}

/**
 * Whether a name of the protocol may stand for what SQL has given it to since: `CLOSE p; DECLARE p …` on its way is seen
 * here, but not when the target gets to it.
 */
export const mayBeOther = ({ ports: { mask } }: State, name: string): boolean =>
  name !== '' && mask?.hasSqlNames() === true

export function maskRow(state: State, message: Message): Verdict {
  const head = state.outstanding.head()
  return carriedOut('row', () => head?.results?.row(message, head.formats))
}

export function maskCopyRow(state: State, message: Message): Verdict {
  const head = state.outstanding.head()
  return carriedOut('row of a COPY', () => head?.results?.copyRow(message))
}

/** What is nobody's answer is masked by nothing. A fault of ours is the session's end, and no row. */
function carriedOut(what: string, rewrite: () => Rewritten | undefined): Verdict {
  try {
    const rewritten = rewrite()
    if (rewritten === 'same') return forward
    if (rewritten !== undefined && rewritten !== 'malformed') return { do: 'replace', bytes: rewritten }
  } catch {
    // The same as what cannot be read.
  }
  return targetViolation(`a ${what} that cannot be masked`)
}

export function noteDescription(state: State, message: Message): Verdict {
  const read = state.outstanding.head()?.results?.describe(message)
  return read === 'malformed' ? targetViolation('a malformed RowDescription') : forward
}

export function noteCopy(state: State, message: Message): Verdict {
  const read = state.outstanding.head()?.results?.beginCopy(message)
  return read === 'malformed' ? targetViolation('a COPY that cannot be masked') : forward
}

/** An error or a notice, with nothing masked in it. The error's own words, where it is one. */
export function maskReport(state: State, message: Message, type: 'E' | 'N'): Verdict {
  const { mask } = state.ports
  if (mask === undefined) return forward
  const isSecret = mayTell(state)
  if (isSecret && type === 'N') return drop
  const fields = readReport(message)
  if (fields === undefined) return targetViolation('a malformed report')
  const told = isSecret ? withheld(fields) : fields
  const shown = mask.detecting === undefined ? told : scrubbed(told, mask.detecting)
  if (type === 'E' && state.error !== undefined) state.error = { ...state.error, message: shown.get('M') ?? '' }
  return shown === fields ? forward : { do: 'replace', bytes: writeReport(type, shown) }
}

/** It is said of a statement that has to do with something masked, or may be: the end of a transaction checks all of it. */
function mayTell({ ports: { mask }, outstanding }: State): boolean {
  const head = outstanding.head()
  const plan = head?.results?.plan()
  if (plan?.touches === true) return true
  const goesOn = head === undefined || head.kind === 'sync' || plan?.goesOn === true
  return goesOn && mask?.hasTouched() === true
}
