/** `tidegate agents restore` */

import { defineCommand } from '../command.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const agentsRestore = defineCommand({
  name: ['agents', 'restore'],
  summary: 'Let an agent that was killed be known again',
  details: ['For administrators, and whoever killed it. What had ended stays so: it asks anew.'],
  arguments: { agent: { value: text('AGENT'), about: 'The id of the agent.' } },
  examples: [{ line: 'tidegate agents restore alice-helper', about: 'Let it act again' }],
  run: async (invocation, { agent: id }) => {
    const client = await connectToServer(invocation)
    const agent = await retrying(invocation, () => client.restoreAgent({ id }))
    invocation.out.result(agent, () => [[styled('green', 'Restored'), `: agent ${id} may act again.`]])
    return 'ok'
  },
})
