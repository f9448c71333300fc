/** `tidegate request` */

import type { Millis } from '@tidegate/core'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { withInterruption } from '../interruption.ts'
import { connectToServer, idempotencyKey, retrying } from '../server.ts'
import type { Duration, Time } from '../values.ts'
import { duration, role, text, time } from '../values.ts'
import { exitOfWait, waitForAnswer } from '../waiting.ts'
import type { Decision } from '../words/decision.ts'
import { forecastLines } from '../words/decision.ts'
import { exitOfStatus, outcomeLines } from '../words/request.ts'

type Input = {
  readonly role: string
  readonly for: Duration
  readonly reason: string | undefined
  readonly ticket: string | undefined
  readonly task: string | undefined
  readonly start: Time | undefined
  readonly wait: boolean
  readonly timeout: Duration
}

export const request = defineCommand({
  name: ['request'],
  summary: 'Ask for a role on a resource, for a time, with a reason',
  details: [
    'Says what policy answered: granted by which policies; waiting for whom; or refused, why, and what would make it a yes. The time of a grant starts when it is opened, not now.',
    'Interrupting a wait leaves the request as it is.',
  ],
  arguments: { role: { value: role, about: 'RESOURCE/ROLE, as `tidegate resources` lists them.' } },
  options: {
    for: { about: 'How long.', value: duration, required: true },
    reason: { about: 'What for; approvers and auditors read it. Needed unless it is a dry run.', value: text('TEXT') },
    ticket: { about: 'The ticket it is for.', value: text('TICKET') },
    task: { about: 'The task it is for.', value: text('TASK') },
    start: { about: 'Not before this time.', value: time, conflicts: ['dryRun'] },
    wait: { about: 'Wait until it is answered.' },
    timeout: { about: 'How long to wait.', value: duration, default: '10m' },
    dryRun: { about: 'Say what it would be answered, and file nothing.', conflicts: ['wait'] },
  },
  examples: [
    { line: 'tidegate request orders-db/readonly --for 30m --reason "Look into OPS-17"', about: 'Ask' },
    {
      line: 'tidegate request orders-db/writer --for 1h --reason "Fix OPS-17" --ticket OPS-17 --wait',
      about: 'Ask, and wait for the answer',
    },
    { line: 'tidegate request orders-db/writer --for 8h --dry-run', about: 'See what would be answered' },
  ],
  run: async (invocation, input) => (input.dryRun ? forecast(invocation, input) : file(invocation, input)),
})

const exitOfForecast = {
  permit: 'ok',
  approve: 'waiting',
  'step-up': 'step-up',
  deny: 'refused',
} as const satisfies Record<Decision['outcome'], Exit>

async function forecast(invocation: Invocation, input: Input): Promise<Exit> {
  const client = await connectToServer(invocation)
  const { role: roleName, ticket, task } = input
  const decision = await client.ask({ role: roleName, duration: input.for.text, ticket, task })
  invocation.out.result(decision, () => forecastLines(decision))
  return exitOfForecast[decision.outcome]
}

async function file(invocation: Invocation, input: Input): Promise<Exit> {
  const { out } = invocation
  const { role: roleName, reason, ticket, task, start, wait } = input
  if (reason === undefined) {
    throw new Failure('usage', 'A request needs a reason.', { remedy: 'Say what for with --reason "…".' })
  }
  const client = await connectToServer(invocation)
  const key = idempotencyKey(invocation)
  const wish = { role: roleName, duration: input.for.text, reason, ticket, task, startAt: start?.text }
  const filed = await retrying(invocation, () => client.createRequest(wish, { idempotencyKey: key }))
  if (!wait || filed.status !== 'pending') {
    out.result(filed, () => outcomeLines(invocation, filed))
    return exitOfStatus[filed.status]
  }
  out.note(...outcomeLines(invocation, filed))
  return withInterruption(invocation, async (interruption) => {
    const timeout: Millis = input.timeout.length
    const settled = await waitForAnswer(invocation, { client, request: filed, timeout, interruption })
    out.result(settled, () => (settled.status === 'pending' ? [] : outcomeLines(invocation, settled)))
    return exitOfWait(invocation, settled, interruption)
  })
}
