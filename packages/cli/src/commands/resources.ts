/** `tidegate resources` */

import { defineCommand } from '../command.ts'
import { dim, table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { riskPart } from '../words/risk.ts'

export const resources = defineCommand({
  name: ['resources'],
  summary: 'What there is, and the roles to ask for',
  options: {
    kind: { about: 'Only this kind of target.', value: text('KIND') },
    label: { about: 'Only with this label.', value: text('KEY=VALUE') },
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate resources', about: 'Everything you may see' },
    { line: 'tidegate resources --label env=production', about: 'What is labelled as production' },
  ],
  run: async (invocation, { kind, label, limit }) => {
    const client = await connectToServer(invocation)
    const page = await collect(limit, (paging) => client.listResources({ kind, label, ...paging }))
    printPage(invocation, page, {
      empty: 'There are no resources that you may see.',
      lines: (items) =>
        table(
          ['ROLE', 'RISK', 'KIND', 'LABELS', 'ABOUT'],
          items.flatMap(({ id, kind: kindName, labels, description, roles }) =>
            roles.map((role) => [
              // The server writes a role in full or by its name on the resource.
              role.role.includes('/') ? role.role : `${id}/${role.role}`,
              riskPart(role.risk),
              kindName,
              dim(
                Object.entries(labels)
                  .map(([name, value]) => `${name}=${value}`)
                  .join(' '),
              ),
              role.description ?? description ?? '',
            ]),
          ),
        ),
    })
    return 'ok'
  },
})
