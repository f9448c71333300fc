/** `tidegate approve` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { newsLines } from '../words/request.ts'
import { approveChange } from './changes-approve.ts'
import { isChangeId } from './changes.ts'

export const approve = defineCommand({
  name: ['approve'],
  summary: 'Say yes to a request, or to a change of the configuration',
  details: [
    'Nobody answers their own request, and each person counts once. `chg_…` is the same as `tidegate changes approve`.',
  ],
  arguments: { request: { value: text('REQUEST'), about: 'The id of the request, or of the change.' } },
  options: {
    comment: { about: 'Why; the requester reads it. Not for changes.', value: text('TEXT') },
    yes: { about: 'For a change: do not ask.' },
  },
  examples: [{ line: 'tidegate approve req_01j… --comment "Go ahead, tell me when done"', about: 'Approve' }],
  run: async (invocation, { request: id, comment, yes }) => {
    if (isChangeId(id)) return approveChange(invocation, { id, yes })
    const client = await connectToServer(invocation)
    const request = await client.approveRequest({ id, comment })
    invocation.out.result(request, () => [
      `Your yes to ${request.principal} for ${request.role} is recorded.`,
      ...newsLines(invocation, request),
    ])
    return 'ok'
  },
})
