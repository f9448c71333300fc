/** `tidegate logins` */

import { defineCommand } from '../command.ts'
import { styled, table } from '../output.ts'
import { allOption, ownerFilter } from '../own.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { relative, when } from '../words/times.ts'

export const logins = defineCommand({
  name: ['logins'],
  summary: 'Who acts as you: browsers and command lines that you are logged in with',
  options: {
    all: allOption,
    ended: { about: 'The ended ones too.' },
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate logins', about: 'Your own, newest first' },
    { line: 'tidegate logins --all', about: 'Everyone’s, for administrators and auditors' },
  ],
  run: async (invocation, { all, ended, limit }) => {
    const client = await connectToServer(invocation)
    const filter = { principal: await ownerFilter(client, all), open: ended ? undefined : ('true' as const) }
    const page = await collect(limit, (paging) => client.listLogins({ ...filter, ...paging }))
    printPage(invocation, page, {
      empty: 'There are no such logins.',
      lines: (items) =>
        table(
          ['LOGIN', 'WHO', 'KIND', 'PROVIDER', 'FROM', 'CLIENT', 'USED', 'ENDS'],
          items.map((login) => [
            login.current ? styled('green', `${login.id} *`) : login.id,
            login.principal,
            login.kind,
            login.provider,
            login.address,
            login.agent ?? '-',
            relative(invocation, login.lastUsedAt),
            login.endedAt === undefined ? when(invocation, login.endsAt) : `ended: ${login.endReason}`,
          ]),
        ),
    })
    return 'ok'
  },
})
