/** `tidegate sessions` */

import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { sessionStatePart } from '../words/session.ts'
import { relative } from '../words/times.ts'

export const sessions = defineCommand({
  name: ['sessions'],
  summary: 'Sessions through gateways that you may see: your own, on resources that you own, all for auditors',
  options: {
    all: { about: 'The ended ones too.' },
    grant: { about: 'Only of this grant.', value: text('GRANT') },
    resource: { about: 'Only on this resource.', value: text('RESOURCE') },
    principal: { about: 'Only of this principal, such as user:alice.', value: text('PRINCIPAL') },
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate sessions', about: 'What is open' },
    { line: 'tidegate sessions --all --resource orders-db', about: 'Who was on a resource, newest first' },
  ],
  run: async (invocation, { all, grant, resource, principal, limit }) => {
    const client = await connectToServer(invocation)
    const filter = { grant, resource, principal, open: all ? undefined : ('true' as const) }
    const page = await collect(limit, (paging) => client.listSessions({ ...filter, ...paging }))
    printPage(invocation, page, {
      empty: 'There are no such sessions.',
      lines: (items) =>
        table(
          ['SESSION', 'WHO', 'ROLE', 'DATABASE', 'FROM', 'GATEWAY', 'STARTED', 'STATE'],
          items.map((session) => [
            session.id,
            session.principal,
            session.role,
            session.database,
            session.client.address,
            session.gateway,
            relative(invocation, session.startedAt),
            sessionStatePart(invocation, session),
          ]),
        ),
    })
    return 'ok'
  },
})
