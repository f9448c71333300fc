/** `tidegate services secrets` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Part } from '../output.ts'
import { dim, styled, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { relative, when } from '../words/times.ts'

type Secret = Output<'listServiceSecrets'>['items'][number]

export const servicesSecrets = defineCommand({
  name: ['services', 'secrets'],
  summary: 'Secrets of a service, and when they were last used',
  details: ['For the owner of the service, auditors and administrators. The secrets themselves are kept nowhere.'],
  arguments: { service: { value: text('SERVICE'), about: 'The id of the service.' } },
  options: { limit: limitOption },
  examples: [{ line: 'tidegate services secrets ci', about: 'Which there are' }],
  run: async (invocation, { service, limit }) => {
    const client = await connectToServer(invocation)
    const page = await collect(limit, (paging) => client.listServiceSecrets({ service, ...paging }))
    printPage(invocation, page, {
      empty: `${service} has no secrets.`,
      lines: (items) =>
        table(
          ['SECRET', 'MADE BY', 'STATE', 'LAST USED'],
          items.map((one) => [
            one.id,
            one.madeBy,
            stateOf(invocation, one),
            one.lastUsedAt === undefined ? 'never' : relative(invocation, one.lastUsedAt),
          ]),
        ),
    })
    return 'ok'
  },
})

function stateOf(invocation: Invocation, { revokedAt, expiresAt }: Secret): Part {
  if (revokedAt !== undefined) return dim(`revoked ${when(invocation, revokedAt)}`)
  const isOver = Date.parse(expiresAt) <= invocation.now()
  return isOver
    ? dim(`over since ${when(invocation, expiresAt)}`)
    : styled('green', `good until ${when(invocation, expiresAt)}`)
}
