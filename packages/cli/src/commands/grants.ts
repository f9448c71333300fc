/** `tidegate grants` */

import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { allOption, ownerFilter } from '../own.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { role, text } from '../values.ts'
import { statePart, timeWords } from '../words/grant.ts'

export const grants = defineCommand({
  name: ['grants'],
  summary: 'Grants that have not ended: your own, or everyone’s',
  options: {
    all: allOption,
    ended: { about: 'The ended ones too.' },
    role: { about: 'Only for this role.', value: role },
    resource: { about: 'Only on this resource.', value: text('RESOURCE') },
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate grants', about: 'What you hold now' },
    { line: 'tidegate grants --all --resource orders-db', about: 'Who holds what on a resource now' },
  ],
  run: async (invocation, { all, ended, role: roleName, resource, limit }) => {
    const client = await connectToServer(invocation)
    const principal = await ownerFilter(client, all)
    const filter = { principal, role: roleName, resource, open: ended ? undefined : ('true' as const) }
    const page = await collect(limit, (paging) => client.listGrants({ ...filter, ...paging }))
    printPage(invocation, page, {
      empty: 'There are no such grants.',
      lines: (items) =>
        table(
          ['GRANT', 'WHO', 'ROLE', 'STATE', 'TIME'],
          items.map((grant) => [grant.id, grant.principal, grant.role, statePart(grant), timeWords(invocation, grant)]),
        ),
    })
    return 'ok'
  },
})
