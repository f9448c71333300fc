/** `tidegate logins machines` */

import { defineCommand } from '../command.ts'
import { styled, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { relative, when } from '../words/times.ts'

export const loginsMachines = defineCommand({
  name: ['logins', 'machines'],
  summary: 'Logins of services and agents that you answer for, or all for administrators and auditors',
  options: {
    of: { about: 'Of this service or agent.', value: text('PRINCIPAL') },
    ended: { about: 'The ended ones too.' },
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate logins machines', about: 'Your agents and services, newest first' },
    { line: 'tidegate logins machines --of service:ci', about: 'Of one service' },
  ],
  run: async (invocation, { of: principal, ended, limit }) => {
    const client = await connectToServer(invocation)
    const filter = { ...(principal !== undefined && { principal }), ...(!ended && { open: 'true' as const }) }
    const page = await collect(limit, (paging) => client.listMachineLogins({ ...filter, ...paging }))
    printPage(invocation, page, {
      empty: 'There are no such logins.',
      lines: (items) =>
        table(
          ['LOGIN', 'WHO', 'BY', 'RUN', 'FROM', 'SINCE', 'ENDS'],
          items.map((login) => [
            login.current ? styled('green', `${login.id} *`) : login.id,
            login.principal,
            login.by,
            login.run ?? '-',
            login.address ?? '-',
            relative(invocation, login.startedAt),
            login.endedAt === undefined ? when(invocation, login.endsAt) : `ended: ${login.endReason}`,
          ]),
        ),
    })
    return 'ok'
  },
})
