/** `tidegate findings` */

import { defineCommand } from '../command.ts'
import { styled, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { relative } from '../words/times.ts'

const severityStyles = { low: 'green', medium: 'yellow', high: 'red' } as const

export const findings = defineCommand({
  name: ['findings'],
  summary: 'What Tidegate wants a human to look at',
  options: {
    all: { about: 'The closed ones too.' },
    kind: { about: 'Only of this kind.', value: text('KIND') },
    limit: limitOption,
  },
  examples: [{ line: 'tidegate findings', about: 'What is open' }],
  run: async (invocation, { all, kind, limit }) => {
    const client = await connectToServer(invocation)
    const open = all ? undefined : ('true' as const)
    const page = await collect(limit, (paging) => client.listFindings({ open, kind, ...paging }))
    printPage(invocation, page, {
      empty: 'There is nothing to look at.',
      lines: (items) =>
        table(
          ['FINDING', 'SEVERITY', 'SUBJECT', 'OPENED', 'LAST SEEN', 'WHAT'],
          items.map(({ id, severity, subject, openedAt, lastSeenAt, closedAt, message }) => [
            id,
            styled(severityStyles[severity], severity),
            subject,
            relative(invocation, openedAt),
            closedAt === undefined ? relative(invocation, lastSeenAt) : `closed ${relative(invocation, closedAt)}`,
            message,
          ]),
        ),
    })
    return 'ok'
  },
})
