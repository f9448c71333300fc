/** `tidegate whoami` */

import type { Output } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { bold } from '../output.ts'
import { connectToServer } from '../server.ts'
import { proofWords } from '../words/login.ts'
import { when } from '../words/times.ts'

export const whoami = defineCommand({
  name: ['whoami'],
  summary: 'Who you are, as Tidegate sees it',
  examples: [{ line: 'tidegate whoami', about: 'Your principal, your groups, how you are known, and until when' }],
  run: async (invocation) => {
    const client = await connectToServer(invocation)
    const me = await client.whoami({})
    const powers = me.administration.map(({ role, by, until }) =>
      by === 'grant' ? `${role} until ${when(invocation, until)}` : `${role}, standing`,
    )
    invocation.out.result(me, () => [
      bold(me.principal),
      `groups  ${me.groups.join(', ') || '-'}`,
      `may     ${powers.join(', ') || 'request access'}`,
      `by      ${proofWords(invocation, me.authentication)}`,
      lastsLine(invocation, me),
    ])
    return 'ok'
  },
})

function lastsLine(invocation: Invocation, { login, tokenExpiresAt }: Output<'whoami'>): string {
  const ends = tokenExpiresAt === undefined ? 'without an end' : `ends ${when(invocation, tokenExpiresAt)}`
  return login === undefined ? `token   ${ends}` : `login   ${login}, ${ends}`
}
