/** `tidegate webhooks` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { connectToServer } from '../server.ts'
import { relative } from '../words/times.ts'

type Webhook = Output<'listWebhooks'>['items'][number]

export const webhooks = defineCommand({
  name: ['webhooks'],
  summary: 'Who is told of what happens by messages, and whether these arrive',
  details: [
    'For auditors and administrators. Of where each leads only the beginning is shown: the rest may be a secret.',
  ],
  examples: [{ line: 'tidegate webhooks', about: 'All of them' }],
  run: async (invocation) => {
    const client = await connectToServer(invocation)
    const { items } = await client.listWebhooks({})
    const ago = (at: string | undefined): string => (at === undefined ? 'never' : relative(invocation, at))
    invocation.out.result({ items }, () =>
      items.length === 0
        ? ['There are no webhooks. Configuration declares them: webhooks.']
        : table(
            ['WEBHOOK', 'TO', 'STATE', 'WAITING', 'LAST TAKEN', 'LAST FAILURE'],
            items.map((one) => [
              one.id,
              one.origin,
              one.state,
              waitingWords(one),
              ago(one.succeededAt),
              one.failedAt === undefined ? '' : `${ago(one.failedAt)}: ${one.error ?? ''}`,
            ]),
          ),
    )
    return 'ok'
  },
})

const waitingWords = ({ waiting, more }: Webhook): string => (more ? `more than ${waiting}` : String(waiting))
