/** `tidegate agents token` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { duration, text } from '../values.ts'
import { when } from '../words/times.ts'

export const agentsToken = defineCommand({
  name: ['agents', 'token'],
  summary: 'Make a short token for an agent that acts for you',
  details: [
    'Prints the token once, on stdout. It ends with your own login at the latest, and proves no second factor: what you proved, your agent did not.',
  ],
  arguments: { agent: { value: text('AGENT'), about: 'The id of the agent.' } },
  options: { for: { about: 'How long it is good.', value: duration, default: '15m' } },
  examples: [
    {
      line: 'tidegate agents token alice-helper --for 1h',
      about: 'For an agent that asks for access in its own name: as its TIDEGATE_TOKEN',
    },
  ],
  run: async (invocation, { agent: id, for: lasts }) => {
    const client = await connectToServer(invocation)
    const made = await client.createAgentToken({ id, lasts: lasts.text })
    invocation.out.note(
      `${made.principal}, for ${made.actsFor.join(' for ')}, until ${when(invocation, made.expiresAt)}:`,
    )
    invocation.out.result(made, () => [made.token])
    return 'ok'
  },
})
