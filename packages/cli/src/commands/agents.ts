/** `tidegate agents` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Part } from '../output.ts'
import { styled, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { when } from '../words/times.ts'

type Agent = Output<'listAgents'>['items'][number]

export const agents = defineCommand({
  name: ['agents'],
  summary: 'Agents that act for you, or all for administrators and auditors',
  options: { limit: limitOption },
  examples: [{ line: 'tidegate agents', about: 'Who acts for you' }],
  run: async (invocation, { limit }) => {
    const client = await connectToServer(invocation)
    const page = await collect(limit, (paging) => client.listAgents(paging))
    printPage(invocation, page, {
      empty: 'No agents act for you. Configuration declares them, under agents.',
      lines: (items) =>
        table(
          ['AGENT', 'ACTS FOR', 'LOGINS', 'STATE'],
          items.map((one) => [one.id, one.actsFor.join(' for '), String(one.logins), stateOf(invocation, one)]),
        ),
    })
    return 'ok'
  },
})

const stateOf = (invocation: Invocation, { killed }: Agent): Part =>
  killed ? styled('red', `killed ${when(invocation, killed.at)} by ${killed.by}: ${killed.reason}`) : 'may act'
