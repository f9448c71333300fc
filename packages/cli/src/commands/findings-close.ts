/** `tidegate findings close` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'

export const findingsClose = defineCommand({
  name: ['findings', 'close'],
  summary: 'Say that a finding has been looked at',
  details: ['For administrators. It opens again if it is still so.'],
  arguments: { finding: { value: text('FINDING'), about: 'The id of the finding.' } },
  options: { note: { value: text('TEXT'), about: 'What was found.', required: true } },
  examples: [{ line: 'tidegate findings close fnd_01j… --note "Left over from the restore"', about: 'Close one' }],
  run: async (invocation, { finding, note }) => {
    const client = await connectToServer(invocation)
    const closed = await client.closeFinding({ id: finding, note })
    invocation.out.result(closed, () => [`Closed: ${closed.id} (${closed.kind} of ${closed.subject}).`])
    return 'ok'
  },
})
