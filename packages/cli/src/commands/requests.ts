/** `tidegate requests` */

import { schemas } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { allOption, ownerFilter } from '../own.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { shorten } from '../terminal-text.ts'
import { choice, role } from '../values.ts'
import { lasting, relative } from '../words/times.ts'
import { askedWords } from '../words/request.ts'

export const requests = defineCommand({
  name: ['requests'],
  summary: 'Requests: your own, those that wait for you, or everyone’s',
  options: {
    status: {
      about: 'Only with this status.',
      value: choice('STATUS', schemas.accessRequest.shape.status.options),
    },
    awaitingMe: { about: 'Those that you can answer now, whoever’s they are.' },
    role: { about: 'Only for this role.', value: role },
    all: allOption,
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate requests', about: 'Your own' },
    { line: 'tidegate requests --awaiting-me', about: 'What waits for your answer' },
    { line: 'tidegate requests --all --status pending -o json', about: 'All that is pending, for a script' },
  ],
  run: async (invocation, { status, awaitingMe, role: roleName, all, limit }) => {
    const client = await connectToServer(invocation)
    const principal = await ownerFilter(client, all || awaitingMe)
    const filter = { status, role: roleName, principal, awaiting: awaitingMe ? ('me' as const) : undefined }
    const page = await collect(limit, (paging) => client.listRequests({ ...filter, ...paging }))
    printPage(invocation, page, {
      empty: awaitingMe ? 'Nothing waits for you.' : 'There are no such requests.',
      lines: (items) => [
        ...table(
          ['REQUEST', 'WHO', 'ROLE', 'FOR', 'STATUS', 'FILED', 'REASON'],
          items.map((one) => [
            one.id,
            one.principal,
            one.role,
            lasting(one.durationSeconds),
            one.status === 'pending' ? `waiting for ${askedWords(one)}` : one.status,
            relative(invocation, one.filedAt),
            shorten(one.reason, 60),
          ]),
        ),
      ],
    })
    return 'ok'
  },
})
