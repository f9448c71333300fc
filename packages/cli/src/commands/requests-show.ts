/** `tidegate requests show` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { requestDetails } from '../words/request.ts'

export const requestsShow = defineCommand({
  name: ['requests', 'show'],
  summary: 'One request with its whole reason, its decision and its answers',
  arguments: { request: { value: text('REQUEST'), about: 'The id of the request.' } },
  examples: [{ line: 'tidegate requests show req_01j…', about: 'Look before you answer' }],
  run: async (invocation, { request: id }) => {
    const client = await connectToServer(invocation)
    const request = await client.getRequest({ id })
    invocation.out.result(request, () => requestDetails(invocation, request))
    return 'ok'
  },
})
