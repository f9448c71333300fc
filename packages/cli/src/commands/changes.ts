/** `tidegate changes` */

import { schemas } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import { counted, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { choice } from '../values.ts'
import { when } from '../words/times.ts'

export const isChangeId = (id: string): boolean => id.startsWith('chg_')

export const changes = defineCommand({
  name: ['changes'],
  summary: 'Changes of the configuration, newest first',
  options: {
    status: { about: 'Only with this status.', value: choice('STATUS', schemas.configChange.shape.status.options) },
    limit: limitOption,
  },
  examples: [{ line: 'tidegate changes --status pending', about: 'What waits for a second administrator' }],
  run: async (invocation, { status, limit }) => {
    const client = await connectToServer(invocation)
    const page = await collect(limit, (paging) => client.listChanges({ status, ...paging }))
    printPage(invocation, page, {
      empty: 'There are no such changes.',
      lines: (items) =>
        table(
          ['CHANGE', 'STATUS', 'VERSION', 'AUTHOR', 'SETTLED BY', 'WHEN', 'WHAT'],
          items.map(({ id, status: state, version, author, settledBy, at, plan }) => [
            id,
            state,
            version === undefined ? '-' : String(version),
            author,
            settledBy ?? '-',
            when(invocation, at),
            counted(plan.items.length, 'item', 'items'),
          ]),
        ),
    })
    return 'ok'
  },
})
