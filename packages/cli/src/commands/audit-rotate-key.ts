/** `tidegate audit rotate-key` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'

export const auditRotateKey = defineCommand({
  name: ['audit', 'rotate-key'],
  summary: 'Have the audit log signed with a new key from here on (administrators)',
  details: [
    'An entry names the new key, and the checkpoint that covers it is signed by both. The earlier key is deleted with that. Who knows the earlier one goes on: `tidegate audit verify` finds the way from any key that the log has had.',
    'It is no remedy for what a stolen key may have signed before: only checkpoints that somebody kept show that.',
  ],
  options: { reason: { about: 'Why; it goes on record.', value: text('TEXT'), required: true } },
  examples: [{ line: 'tidegate audit rotate-key --reason "Once a year"', about: 'Take a new key' }],
  run: async (invocation, { reason }) => {
    const client = await connectToServer(invocation)
    const changed = await client.changeLogKey({ reason })
    invocation.out.result(changed, () => [changed.to])
    invocation.out.note(`Until now: ${changed.from}`)
    invocation.out.note('Tell it to those who verify the log. Who has the earlier one needs nothing.')
    return 'ok'
  },
})
