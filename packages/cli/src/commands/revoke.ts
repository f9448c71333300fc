/** `tidegate revoke` */

import { defineCommand } from '../command.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'
import { endedLines } from '../words/grant.ts'

export const revoke = defineCommand({
  name: ['revoke'],
  summary: 'End someone’s grant now, live sessions included',
  details: ['For administrators and owners of the resource.'],
  arguments: { grant: { value: text('GRANT'), about: 'The id of the grant.' } },
  options: { reason: { about: 'Why; it goes on record.', value: text('TEXT'), required: true } },
  examples: [{ line: 'tidegate revoke grt_01j… --reason "Laptop reported stolen"', about: 'Revoke' }],
  run: async (invocation, { grant: id, reason }) => {
    const client = await connectToServer(invocation)
    const grant = await retrying(invocation, () => client.revokeGrant({ id, reason }))
    invocation.out.result(grant, () => endedLines(grant))
    return 'ok'
  },
})
