/** `tidegate whoami` */

import { defineCommand } from '../command.ts'
import { bold } from '../output.ts'
import { connectToServer } from '../server.ts'
import { when } from '../words/times.ts'

export const whoami = defineCommand({
  name: ['whoami'],
  summary: 'Who you are, as Tidegate sees it',
  examples: [{ line: 'tidegate whoami', about: 'Your principal, your groups, and how long your token lasts' }],
  run: async (invocation) => {
    const client = await connectToServer(invocation)
    const me = await client.whoami({})
    const powers = [me.administrator ? 'administrator' : undefined, me.auditor ? 'auditor' : undefined]
    invocation.out.result(me, () => [
      bold(me.principal),
      `groups  ${me.groups.join(', ') || '-'}`,
      `may     ${powers.filter(Boolean).join(', ') || 'request access'}`,
      `token   ${me.tokenExpiresAt === undefined ? 'without an end' : `ends ${when(invocation, me.tokenExpiresAt)}`}`,
    ])
    return 'ok'
  },
})
