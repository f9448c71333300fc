/** A simple query, and a function call, which is answered like one. */

import { readFunctionCall, readQuery } from '../wire/client-messages.ts'
import { ask, type Candidate, judge, refuse } from './judging.ts'
import { resultsOf } from './masking.ts'
import type { Message } from './message.ts'
import { operation } from './outstanding.ts'
import { mayChangeNames } from './reading.ts'
import { recordStatement } from './recording.ts'
import { failingQuery, type Refusal } from './refusal.ts'
import { clientViolation, expectAnswer, forward, type State, type Verdict, wait } from './state.ts'

export function onQuery(state: State, message: Message): Verdict {
  const text = readQuery(message)
  if (text === undefined) return clientViolation('a malformed Query')
  const ruling = judge(state, text)
  if (ruling === 'wait') return wait
  if (ruling.ruling === 'allow') {
    return pass(state, recordStatement(state, { protocol: 'simple', text: text.text }), text.text)
  }
  const candidate: Candidate = {
    protocol: 'simple',
    text: text.text,
    pass: (statement) => pass(state, statement, text.text),
    refuse: (statement, refused) => fail(state, statement, refused),
  }
  return ruling.ruling === 'ask' ? ask(state, candidate, ruling) : refuse(state, candidate, ruling)
}

function pass(state: State, statement: number, text: string): Verdict {
  if (mayChangeNames(text)) state.statements.forget()
  state.settled = false
  expectAnswer(state, operation('query', statement, { results: resultsOf(state, text) }))
  return forward
}

function fail(state: State, statement: number, refusal: Refusal): Verdict {
  expectAnswer(state, operation('query', statement, { refusal }))
  return { do: 'replace', bytes: failingQuery }
}

/** A function by its number, past every text that could be judged: with a guard or a mask on, there are none. */
export function onFunctionCall(state: State, message: Message): Verdict {
  const call = readFunctionCall(message)
  if (call === undefined) return clientViolation('a malformed FunctionCall')
  const { oid, parameters } = call
  const candidate: Candidate = {
    protocol: 'simple',
    text: `function call ${oid}`,
    parameters,
    pass(statement) {
      state.settled = false
      expectAnswer(state, operation('call', statement))
      return forward
    },
    refuse: (statement, refused) => fail(state, statement, refused),
  }
  const { guard, mask } = state.ports
  if (guard === undefined && mask === undefined) return candidate.pass(recordStatement(state, candidate))
  const why = { rule: 'function-call', message: 'functions may not be called by number while statements are judged' }
  return refuse(state, candidate, why)
}
