/** `tidegate deny` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { rejectChange } from './changes-reject.ts'
import { isChangeId } from './changes.ts'

export const deny = defineCommand({
  name: ['deny'],
  summary: 'Say no to a request',
  details: ['One no settles it. `chg_…` is the same as `tidegate changes reject`.'],
  arguments: { request: { value: text('REQUEST'), about: 'The id of the request, or of the change.' } },
  options: { comment: { about: 'Why; the requester reads it.', value: text('TEXT') } },
  examples: [{ line: 'tidegate deny req_01j… --comment "Use the replica"', about: 'Deny' }],
  run: async (invocation, { request: id, comment }) => {
    if (isChangeId(id)) return rejectChange(invocation, id)
    const client = await connectToServer(invocation)
    const request = await client.denyRequest({ id, comment })
    invocation.out.result(request, () => [`Your no to ${request.principal} for ${request.role} is recorded.`])
    return 'ok'
  },
})
