/** `tidegate logins links` */

import { defineCommand } from '../command.ts'
import { table } from '../output.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { relative } from '../words/times.ts'

export const loginsLinks = defineCommand({
  name: ['logins', 'links'],
  summary: 'By which sign-ins at providers you are known, or anyone for administrators and auditors',
  arguments: { user: { value: text('USER'), about: 'Whose; yours without it.', optional: true } },
  examples: [{ line: 'tidegate logins links alice', about: 'How alice is known' }],
  run: async (invocation, { user }) => {
    const client = await connectToServer(invocation)
    const found = await client.listLoginLinks({ ...(user !== undefined && { user }) })
    invocation.out.result(found, () =>
      found.items.length === 0
        ? []
        : table(
            ['PROVIDER', 'SUBJECT', 'WHO', 'BY', 'SINCE'],
            found.items.map((one) => [
              one.provider,
              one.subject,
              one.principal,
              one.linkedBy,
              relative(invocation, one.linkedAt),
            ]),
          ),
    )
    if (found.items.length === 0) invocation.out.note('There are none.')
    return 'ok'
  },
})
