/** `tidegate extend` */

import type { Client, Output } from '@tidegate/api'
import { parseInstant } from '@tidegate/core'
import type { Millis } from '@tidegate/core'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { Failure } from '../failure.ts'
import { withInterruption } from '../interruption.ts'
import type { Line } from '../output.ts'
import { connectToServer, idempotencyKey, retrying } from '../server.ts'
import { duration, role, text } from '../values.ts'
import { exitOfWait, waitForAnswer } from '../waiting.ts'
import type { Grant } from '../words/grant.ts'
import { exitOfStatus, outcomeLines } from '../words/request.ts'
import { when } from '../words/times.ts'

export const extend = defineCommand({
  name: ['extend'],
  summary: 'Ask for your open grant to end later; its sessions go on',
  details: [
    'The same question as before, asked anew with the facts of now: says what policy answered, as `tidegate request` does. The time counts from when it is permitted, not from the grant’s end.',
    'An extension that waits for people is over when the grant is. Interrupting a wait leaves it as it is.',
  ],
  arguments: { grant: { value: text('GRANT'), about: 'The id of the grant, or the RESOURCE/ROLE that it gives.' } },
  options: {
    for: { about: 'How long from now.', value: duration, required: true },
    reason: { about: 'What for; approvers and auditors read it.', value: text('TEXT'), required: true },
    ticket: { about: 'The ticket it is for. The grant’s own where it is not given.', value: text('TICKET') },
    task: { about: 'The task it is for. The grant’s own where it is not given.', value: text('TASK') },
    wait: { about: 'Wait until it is answered.' },
    timeout: { about: 'How long to wait.', value: duration, default: '10m' },
  },
  examples: [
    { line: 'tidegate extend orders-db/readonly --for 30m --reason "Not done with OPS-17"', about: 'Stay longer' },
    {
      line: 'tidegate extend grt_01j… --for 1h --reason "The index is still being built" --wait',
      about: 'Stay longer, and wait for the answer',
    },
  ],
  run: async (invocation, { grant, for: length, reason, ticket, task, wait, timeout }) => {
    const client = await connectToServer(invocation)
    const id = await findOpen(invocation, client, grant)
    const key = idempotencyKey(invocation)
    const wish = { id, duration: length.text, reason, ticket, task }
    const answer = await retrying(invocation, () => client.extendGrant(wish, { idempotencyKey: key }))
    const { request, targetKnows } = answer
    if (targetKnows === false) {
      invocation.out.note('The target could not be told yet: until it is, a new login there ends as before.')
    }
    if (!wait || request.status !== 'pending') {
      invocation.out.result(answer, () => answerLines(invocation, answer))
      return exitOfStatus[request.status]
    }
    invocation.out.note(...outcomeLines(invocation, request))
    return withInterruption(invocation, async (interruption) => {
      const patience: Millis = timeout.length
      const settled = await waitForAnswer(invocation, { client, request, timeout: patience, interruption })
      const then = {
        request: settled,
        grant: settled.status === 'approved' ? await client.getGrant({ id }) : answer.grant,
      }
      invocation.out.result(then, () => (settled.status === 'pending' ? [] : answerLines(invocation, then)))
      return exitOfWait(invocation, settled, interruption)
    })
  },
})

type Answer = Pick<Output<'extendGrant'>, 'request' | 'grant'>

const answerLines = (invocation: Invocation, { request, grant }: Answer): readonly Line[] => [
  ...outcomeLines(invocation, request),
  ...(request.status === 'approved' ? [`  It ends ${when(invocation, grant.expiresAt)}.`] : []),
]

/** The id of what is named. Of several that are open the one that ends first: that is the one that was warned of. */
async function findOpen(invocation: Invocation, client: Client, named: string): Promise<string> {
  const wanted = role.read(named)
  if (wanted === undefined) return named
  const { principal } = await client.whoami({})
  const { items } = await client.listGrants({ state: 'active', role: wanted, principal })
  const [first] = items
    .filter((grant) => endOf(grant) > invocation.now())
    .toSorted((one, other) => endOf(one) - endOf(other))
  if (first) return first.id
  throw new Failure('not-found', `You have no open grant of ${wanted}.`, {
    remedy: `Open one with: tidegate connect ${wanted}`,
  })
}

const endOf = ({ expiresAt }: Grant): number => parseInstant(expiresAt ?? '') ?? 0
