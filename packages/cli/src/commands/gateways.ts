/** `tidegate gateways` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Part } from '../output.ts'
import { dim, styled, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { hostPortText } from '../values.ts'
import { relative, when } from '../words/times.ts'

type Gateway = Output<'listGateways'>['items'][number]

export const gateways = defineCommand({
  name: ['gateways'],
  summary: 'Gateways, and whether they are connected',
  details: ['For auditors and administrators.'],
  options: { limit: limitOption },
  examples: [{ line: 'tidegate gateways', about: 'What sessions can go through' }],
  run: async (invocation, { limit }) => {
    const client = await connectToServer(invocation)
    const page = await collect(limit, (paging) => client.listGateways(paging))
    printPage(invocation, page, {
      empty: 'There are no gateways. An administrator invites one with `tidegate gateways new`.',
      lines: (items) =>
        table(
          ['GATEWAY', 'STATE', 'ADDRESS', 'RESOURCES', 'LAST SEEN'],
          items.map((one) => [
            one.id,
            statePart(one),
            one.address === undefined ? '-' : addressWords(one.address),
            one.resources === undefined ? 'all that have gateways' : one.resources.join(' '),
            seenWords(invocation, one),
          ]),
        ),
    })
    return 'ok'
  },
})

function statePart({ state, connected }: Gateway): Part {
  if (connected) return styled('green', 'connected')
  return state === 'enrolled' ? styled('yellow', 'not connected') : dim(state)
}

const addressWords = ({ tls, ...address }: NonNullable<Gateway['address']>): string =>
  `${hostPortText(address)}${tls === 'disable' ? ' without TLS' : ''}`

const seenWords = (invocation: Invocation, { lastSeenAt, invitedAt }: Gateway): string =>
  lastSeenAt === undefined ? `invited ${when(invocation, invitedAt)}` : relative(invocation, lastSeenAt)
