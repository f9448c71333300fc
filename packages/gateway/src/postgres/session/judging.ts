/** What the guard says of a text, and what follows from it. */

import type { Asking, Ruling } from '../../guard/ruling.ts'
import type { Parameter } from '../../recording/event.ts'
import type { Text } from '../wire/client-messages.ts'
import { readsTheSame } from './reading.ts'
import { recordRefusal, recordStatement } from './recording.ts'
import { givenUp, type Objection, refusal, type Refusal } from './refusal.ts'
import type { Answer, State, Verdict } from './state.ts'

const allowed: Ruling = { ruling: 'allow', uses: [] }

const encodingRule = (message: string): Ruling => ({ ruling: 'refuse', rule: 'encoding', message })

/**
 * Of a text that the target might read in another way than the guard, nothing can be said before it is certain how the
 * target reads: once all that may change that is answered. Within one batch that is never.
 */
export function judge({ ports, settled, batchMayChangeReading }: State, text: Text): Ruling | 'wait' {
  if (ports.guard === undefined && ports.mask === undefined) return allowed
  if (text.encoding === 'invalid') return encodingRule('the text is not UTF-8')
  if (settled || readsTheSame(text)) return ruleOn(ports, text.text)
  if (!batchMayChangeReading) return 'wait'
  return encodingRule('text with a backslash or beyond ASCII may not follow another statement before a Sync')
}

/** What the guard lets through may still be nothing that can be masked. */
function ruleOn({ guard, mask }: State['ports'], text: string): Ruling {
  const ruling = guard?.judge(text) ?? allowed
  if (mask === undefined || ruling.ruling === 'refuse') return ruling
  const judged = mask.judge(text)
  return 'refusal' in judged ? { ruling: 'refuse', ...judged.refusal } : ruling
}

/** What can be refused: a statement as it is recorded, and how to let it pass or fail. */
export type Candidate = {
  readonly protocol: 'simple' | 'extended'
  readonly text: string
  readonly parameters?: readonly Parameter[]
  readonly pass: (statement: number) => Verdict
  readonly refuse: (statement: number, refused: Refusal) => Verdict
}

export function refuse(state: State, candidate: Candidate, objection: Objection): Verdict {
  const { rule, message } = objection
  const statement = recordStatement(state, candidate)
  recordRefusal(state, { statement, rule, message })
  return candidate.refuse(statement, refusal(objection))
}

/** An approver has to see it first. It is recorded now, so that it can be seen. */
export function ask(state: State, candidate: Candidate, asking: Asking): Verdict {
  const { rule, message } = asking
  const statement = recordStatement(state, candidate)
  const { text, parameters } = candidate
  const settle = (answer: Answer | 'given-up'): Verdict => {
    state.moment = undefined
    if (answer === 'yes') return candidate.pass(statement)
    recordRefusal(state, { statement, rule, message })
    return candidate.refuse(statement, answer === 'given-up' ? givenUp : refusal(objectionOf(asking, answer)))
  }
  const { approvers, withinMs } = asking
  return {
    do: 'ask',
    question: {
      statement,
      rule,
      message,
      text,
      settle,
      ...(parameters && { parameters }),
      ...(approvers && { approvers }),
      ...(withinMs !== undefined && { withinMs }),
    },
  }
}

const objectionOf = ({ rule, message }: Asking, answer: Exclude<Answer, 'yes'>): Objection => ({
  rule,
  message: answer === 'no' ? message : `${message}; ${answer.no}`,
})
