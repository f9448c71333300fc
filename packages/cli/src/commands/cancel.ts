/** `tidegate cancel` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { outcomeLines } from '../words/request.ts'

export const cancel = defineCommand({
  name: ['cancel'],
  summary: 'Take back your own pending request',
  arguments: { request: { value: text('REQUEST'), about: 'The id of the request.' } },
  examples: [{ line: 'tidegate cancel req_01j…', about: 'Take it back' }],
  run: async (invocation, { request: id }) => {
    const client = await connectToServer(invocation)
    const request = await client.cancelRequest({ id })
    invocation.out.result(request, () => outcomeLines(invocation, request))
    return 'ok'
  },
})
