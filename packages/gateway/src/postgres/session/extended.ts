/** The extended protocol: Parse, Bind, Describe, Execute and Close, in batches that a Sync ends. */

import { postgresLimits as limits } from '../limits.ts'
import { readBind, readExecute, readNamed, readParse, readResultFormats } from '../wire/client-messages.ts'
import type { Bind, Named, Parse } from '../wire/client-messages.ts'
import { ask, type Candidate, judge, refuse } from './judging.ts'
import { mayBeOther, preparedResultsOf, resultsOf } from './masking.ts'
import type { Message } from './message.ts'
import { type Naming, operation } from './outstanding.ts'
import { type Portal, type Prepared, preparedOf } from './prepared.ts'
import { recordStatement } from './recording.ts'
import { failingParse, type Refusal } from './refusal.ts'
import { clientViolation, end, expectAnswer, forward, propose, type State, type Verdict, wait } from './state.ts'

export function onParse(state: State, message: Message): Verdict {
  const parsed = readParse(message)
  if (parsed === undefined) return clientViolation('a malformed Parse')
  const { text } = parsed
  const ruling = judge(state, text)
  if (ruling === 'wait') return wait
  if (ruling.ruling !== 'refuse') return prepare(state, parsed, ruling.ruling === 'ask' ? ruling : undefined)
  const candidate: Candidate = {
    protocol: 'extended',
    text: text.text,
    pass: () => forward,
    refuse: (statement, refused) => fail(state, statement, refused),
  }
  return refuse(state, candidate, ruling)
}

/** Recorded with each use rather than here: what is only prepared does nothing. What asks, asks with its parameters. */
function prepare(state: State, { name, text: { text } }: Parse, ruling: Prepared['ask']): Verdict {
  const { statements, batch } = state
  if (statements.size() >= limits.names || statements.weight() + text.length > limits.namedTextSizeBytes) {
    return state.outstanding.size() > 0 ? wait : end('54000', 'too many prepared statements are open; close some')
  }
  const results = preparedResultsOf(state, text)
  const naming: Naming = { of: 'statement', change: { name, value: preparedOf(text, { ask: ruling, results }), batch } }
  propose(state, naming)
  expectAnswer(state, operation('parse', 0, { naming, text, results }))
  return forward
}

export function onBind(state: State, message: Message): Verdict {
  const bind = readBind(message)
  if (bind === undefined) return clientViolation('a malformed Bind')
  const resolved = state.statements.resolve(bind.statement, state.batch)
  if (resolved === 'unsure') return wait
  if (state.portals.size() >= limits.names) {
    return state.outstanding.size() > 0 ? wait : end('54000', 'too many portals are open; close some')
  }
  const { mask, recorder } = state.ports
  // Who looks at values has to know in which form they come; whoever passes them on need not.
  const formats = mask !== undefined || recorder.keepsRows ? readResultFormats(message) : undefined
  // Made by an SQL statement, which was judged and recorded with all that it prepares; this is what uses it.
  const isSeen = resolved !== 'unknown' && !mayBeOther(state, bind.statement)
  const prepared = isSeen ? resolved : unseen(state, `EXECUTE ${quoted(bind.statement)}`)
  return use(state, bind, { prepared, formats })
}

function use(state: State, { portal, parameters }: Bind, { prepared, formats }: Omit<Portal, 'statement'>): Verdict {
  const { text } = prepared
  if (prepared.ask === undefined) {
    return bindTo(
      state,
      { statement: recordStatement(state, { protocol: 'extended', text, parameters }), prepared, formats },
      portal,
    )
  }
  const candidate: Candidate = {
    protocol: 'extended',
    text,
    parameters,
    pass: (statement) => bindTo(state, { statement, prepared, formats }, portal),
    refuse: (statement, refused) => fail(state, statement, refused),
  }
  return ask(state, candidate, prepared.ask)
}

function bindTo(state: State, value: Portal, name: string): Verdict {
  const naming: Naming = { of: 'portal', change: { name, value, batch: state.batch } }
  propose(state, naming)
  const { text, results } = value.prepared
  expectAnswer(state, operation('bind', value.statement, { naming, text, results }))
  return forward
}

/** The rest of the batch is skipped by the target as well; there is no need to show it. */
function fail(state: State, statement: number, refusal: Refusal): Verdict {
  state.skipping = true
  expectAnswer(state, operation('parse', statement, { refusal }))
  return { do: 'replace', bytes: failingParse }
}

export function onExecute(state: State, message: Message): Verdict {
  const execute = readExecute(message)
  if (execute === undefined) return clientViolation('a malformed Execute')
  const resolved = state.portals.resolve(execute.portal, state.batch)
  if (resolved === 'unsure') return wait
  const isSeen = resolved !== 'unknown' && !mayBeOther(state, execute.portal)
  const portal = isSeen ? resolved : cursor(state, execute.portal)
  const { statement, prepared, formats } = portal
  if (prepared.mayChangeNames) state.statements.forget()
  if (prepared.mayChangeReading) {
    state.settled = false
    state.batchMayChangeReading = true
  }
  expectAnswer(state, operation('execute', statement, { results: prepared.results, formats }))
  return forward
}

/** A portal that an SQL statement declared. */
function cursor(state: State, name: string): Portal {
  const prepared = unseen(state, `FETCH ALL FROM ${quoted(name)}`)
  const statement = recordStatement(state, { protocol: 'extended', text: prepared.text })
  return { statement, prepared, formats: undefined }
}

/** What an SQL statement has given a name to. */
const unseen = (state: State, text: string): Prepared =>
  preparedOf(text, { ask: undefined, results: resultsOf(state, text) })

export function onDescribe(state: State, message: Message): Verdict {
  const named = readNamed(message)
  if (named === undefined) return clientViolation('a malformed Describe')
  const results = state.ports.mask === undefined ? undefined : describedBy(state, named)
  if (results === 'wait') return wait
  expectAnswer(state, operation('describe', 0, { results }))
  return forward
}

/** Whose description it is: rows of it are masked by what that says. */
function describedBy(state: State, { what, name }: Named): Prepared['results'] | 'wait' {
  const resolved =
    what === 'statement' ? state.statements.resolve(name, state.batch) : state.portals.resolve(name, state.batch)
  if (resolved === 'unsure') return 'wait'
  if (resolved === 'unknown') return undefined
  return 'prepared' in resolved ? resolved.prepared.results : resolved.results
}

export function onClose(state: State, message: Message): Verdict {
  const named = readNamed(message)
  if (named === undefined) return clientViolation('a malformed Close')
  const { what, name } = named
  const naming: Naming = { of: what, change: { name, value: undefined, batch: state.batch } }
  propose(state, naming)
  expectAnswer(state, operation('close', 0, { naming }))
  return forward
}

export function onSync(state: State): Verdict {
  state.skipping = false
  // A target that reads copy data reads over it.
  if (state.copyIn) return forward
  state.batch++
  state.batchMayChangeReading = false
  expectAnswer(state, operation('sync', 0))
  return forward
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`
