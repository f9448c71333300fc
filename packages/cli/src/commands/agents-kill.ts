/** `tidegate agents kill` */

import { defineCommand } from '../command.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const agentsKill = defineCommand({
  name: ['agents', 'kill'],
  summary: 'End an agent’s logins, grants and sessions now, and let it get no more',
  details: [
    'For those it acts for, the owner of a service that it acts for, and administrators. What they hold themselves goes on; agents that act for this one end with it.',
  ],
  arguments: { agent: { value: text('AGENT'), about: 'The id of the agent.' } },
  options: { reason: { about: 'Why; it goes on record.', value: text('TEXT'), required: true } },
  examples: [{ line: 'tidegate agents kill alice-helper --reason "It drops tables"', about: 'Stop it' }],
  run: async (invocation, { agent: id, reason }) => {
    const client = await connectToServer(invocation)
    const killed = await retrying(invocation, () => client.killAgent({ id, reason }))
    invocation.out.result(killed, () => [
      [styled('green', 'Killed'), `: agent ${id}. Logins ended: ${killed.loginsEnded}; grants: ${killed.grantsEnded}.`],
      `  It is not known any more until someone says \`tidegate agents restore ${id}\`.`,
    ])
    return 'ok'
  },
})
