/**
 * Statements that wait for a person: asked about until the control plane knows of them, and answered by what it tells.
 * A yes counts for the one that waits here under its id, once; for any other there is only to say that it is not here.
 */

import { gatewayLimits } from '@tidegate/api'
import { after, formatDuration, formatInstant, makeId, type Millis, type StatementOutcome } from '@tidegate/core'
import { approversOf, withinOf } from '../guard/asking.ts'
import type { Clock } from '../postgres/shell/clock.ts'
import type { Approve } from '../postgres/shell/ports.ts'
import type { Parameter } from '../recording/event.ts'
import type { StatementAnswer, StatementQuestion } from './contract.ts'
import { codeOf } from './control-plane.ts'
import { controlLimits as limits } from './limits.ts'
import type { Reports } from './reports.ts'
import { backoffMs, pause } from './retry.ts'
import type { Log } from './settings.ts'

export type Statements = {
  readonly approveIn: (session: string) => Approve
  readonly take: (answers: readonly StatementAnswer[]) => void
  /** The control plane has taken what became of it. */
  readonly told: (statement: string) => void
}

export type StatementsDeps = {
  readonly ask: (question: StatementQuestion) => Promise<unknown>
  readonly reports: Pick<Reports, 'add'>
  readonly clock: Pick<Clock, 'now' | 'at'>
  readonly random: (count: number) => Uint8Array
  readonly log: Log
}

type Answer = Awaited<ReturnType<Approve>>
type Settle = (outcome: StatementOutcome, answer: Answer) => void

export function createStatements(deps: StatementsDeps): Statements {
  const { reports, clock } = deps
  const waiting = new Map<string, Settle>()
  /** What became of them is on its way to the control plane. */
  const telling = new Set<string>()

  const tell = (session: string, statement: string, outcome: StatementOutcome): void => {
    telling.add(statement)
    reports.add({ what: 'statement', session, at: formatInstant(clock.now()), statement, outcome })
  }

  const wait = (question: StatementQuestion, signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve) => {
      const { id, session, withinSeconds } = question
      const over = new AbortController()
      const settle: Settle = (outcome, answer) => {
        if (!waiting.delete(id)) return
        disarm()
        over.abort()
        resolve(answer)
        // Not before the question, which may be under way.
        if (asking.isUnderWay()) void asking.done.then(() => tell(session, id, outcome))
        else tell(session, id, outcome)
      }
      waiting.set(id, settle)
      const within = (withinSeconds * 1_000) as Millis
      const disarm = clock.at(after(clock.now(), within), () =>
        settle('timed-out', { no: `nobody answered within ${formatDuration(within)}` }),
      )
      const asking = keepAsking(deps, question, {
        signal: over.signal,
        refused: (why) => settle('refused', { no: why }),
      })
      const giveUp = (): void => settle(signal.reason === 'cancelled' ? 'cancelled' : 'session-ended', 'no')
      signal.addEventListener('abort', giveUp, { once: true })
      if (signal.aborted) giveUp()
    })

  return {
    approveIn: (session) => async (asked, signal) => {
      const question = questionOf(deps, { session, asked })
      return isShown(question) ? wait(question, signal) : { no: tooLong }
    },
    take(answers) {
      for (const { statement, session, answer, why } of answers) {
        const settle = waiting.get(statement)
        if (settle === undefined) {
          if (!telling.has(statement)) tell(session, statement, 'not-here')
        } else if (answer === 'yes') settle('run', 'yes')
        else settle('refused', { no: shownWords(why ?? 'it was not approved') })
      }
    },
    told: (statement) => void telling.delete(statement),
  }
}

type Waiting = { readonly session: string; readonly asked: Parameters<Approve>[0] }

function questionOf({ clock, random }: StatementsDeps, { session, asked }: Waiting): StatementQuestion {
  return {
    id: makeId('statement', clock.now(), random(10)),
    session,
    number: asked.statement,
    rule: asked.rule,
    about: asked.message,
    approvers: approversOf(asked).map((list) => [...list]),
    withinSeconds: Math.ceil(withinOf(asked) / 1_000),
    text: asked.text,
    parameters: (asked.parameters ?? []).map(parameterOf),
  }
}

const parameterOf = (value: Parameter): StatementQuestion['parameters'][number] => {
  if (value === null) return null
  return typeof value === 'string' ? { text: value } : { bytes: Buffer.from(value).toString('base64') }
}

/** As the contract counts. */
const isShown = ({ text, parameters }: StatementQuestion): boolean =>
  [text, parameters].every((part) => Buffer.byteLength(JSON.stringify(part)) <= gatewayLimits.statementBytes)

const tooLong = `an approver sees all of it or nothing, and it has more than ${gatewayLimits.statementBytes / 1_024} kB`

/** Words of other people, on one line and with nothing that would steer a terminal. */
const shownWords = (text: string): string =>
  text.slice(0, limits.reasonLength).replaceAll(/\s+/g, ' ').replaceAll(/\p{C}/gu, '?')

/** What asking again does not mend, in words for whoever waits. */
const refusals: Readonly<Record<string, string>> = {
  'grant-ended': 'access has ended',
  'statement-limit': 'too many statements of this grant have been asked about; wait some minutes',
  'invalid-input': 'the control plane could not read it',
  'body-too-large': 'it is too long',
}

type Asking = { readonly signal: AbortSignal; readonly refused: (why: string) => void }

/** A session that is not known there yet is on its way to be, and a server that is silent may answer again. */
function keepAsking({ ask, random, log }: StatementsDeps, question: StatementQuestion, { signal, refused }: Asking) {
  let isUnderWay = true
  const run = async (): Promise<void> => {
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await ask(question)
        return
      } catch (error) {
        const why = refusals[codeOf(error) ?? '']
        if (why !== undefined) return refused(why)
        if (failures === 1) log('statement-unasked', { statement: question.id, why: String(error) })
        await pause(backoffMs(failures, random), signal)
      }
    }
  }
  const done = run().finally(() => (isUnderWay = false))
  return { done, isUnderWay: () => isUnderWay }
}
