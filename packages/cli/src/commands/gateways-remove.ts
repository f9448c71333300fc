/** `tidegate gateways remove` */

import { defineCommand } from '../command.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const gatewaysRemove = defineCommand({
  name: ['gateways', 'remove'],
  summary: 'Put a gateway out: it is told nothing more, and ends its sessions',
  details: ['For administrators. Its recordings stay where they are: on its machine.'],
  arguments: { name: { value: text('NAME'), about: 'What it is called.' } },
  examples: [{ line: 'tidegate gateways remove eu-1', about: 'Put it out' }],
  run: async (invocation, { name: id }) => {
    const client = await connectToServer(invocation)
    const removed = await retrying(invocation, () => client.removeGateway({ id }))
    invocation.out.result(removed, () => [
      [styled('green', 'Removed'), `: gateway ${removed.id}. Its key is refused from now on.`],
    ])
    return 'ok'
  },
})
