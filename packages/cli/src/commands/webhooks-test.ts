/** `tidegate webhooks test` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'

type Tested = Output<'testWebhook'>

export const webhooksTest = defineCommand({
  name: ['webhooks', 'test'],
  summary: 'Send a message that tells of nothing, and say whether it was taken',
  details: ['For administrators. It is sent once and at once, past what waits.'],
  arguments: { webhook: { value: text('WEBHOOK'), about: 'Its id, as `tidegate webhooks` lists it.' } },
  examples: [{ line: 'tidegate webhooks test pager', about: 'Try one' }],
  run: async (invocation, { webhook }) => {
    const client = await connectToServer(invocation)
    const tested = await client.testWebhook({ id: webhook })
    invocation.out.result(tested, () => [words(tested)])
    return tested.outcome === 'accepted' ? 'ok' : 'failure'
  },
})

function words({ webhook, message, outcome, error }: Tested): string {
  if (outcome === 'accepted') return `Taken by ${webhook}: ${message}.`
  if (outcome === 'gone') return `Not taken: the receiver of ${webhook} says that it is none any more (410).`
  return `Not taken by ${webhook}. ${error ?? ''}`
}
