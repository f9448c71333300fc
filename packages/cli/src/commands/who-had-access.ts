/** `tidegate who-had-access` */

import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { collect, limitOption, printPage } from '../pages.ts'
import { connectToServer } from '../server.ts'
import { shorten } from '../terminal-text.ts'
import { text, time } from '../values.ts'
import { precise } from '../words/times.ts'

export const whoHadAccess = defineCommand({
  name: ['who-had-access'],
  summary: 'Who held which role on a resource at a time, and why',
  details: ['For administrators, auditors and owners of the resource.'],
  options: {
    resource: { about: 'The id of the resource.', value: text('RESOURCE'), required: true },
    at: { about: 'The time; now where it is not given.', value: time },
    limit: limitOption,
  },
  examples: [
    { line: 'tidegate who-had-access --resource orders-db', about: 'Now' },
    { line: 'tidegate who-had-access --resource orders-db --at 2026-11-21T03:00:00Z', about: 'Last night' },
  ],
  run: async (invocation, { resource, at, limit }) => {
    const client = await connectToServer(invocation)
    let asOf: string | undefined
    const page = await collect(limit, async (paging) => {
      const part = await client.whoHadAccess({ resource, at: at?.text ?? asOf, ...paging })
      asOf = part.at
      return part
    })
    printPage(
      invocation,
      { ...page, at: asOf },
      {
        empty: `Nobody held a grant on ${resource} then.`,
        lines: (items) =>
          table(
            ['WHO', 'ROLE', 'FROM', 'TO', 'APPROVED BY', 'GRANT', 'REASON'],
            items.map(({ principal, role, from, to, endReason, approvers, grant, reason }) => [
              principal,
              role,
              precise(invocation, from),
              to === undefined
                ? 'still open'
                : `${precise(invocation, to)}${endReason === undefined ? '' : ` (${endReason})`}`,
              approvers.join(', ') || 'policy',
              grant,
              shorten(reason, 60),
            ]),
          ),
      },
    )
    return 'ok'
  },
})
