/** `tidegate done` */

import { defineCommand } from '../command.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'
import { endedLines } from '../words/grant.ts'

export const done = defineCommand({
  name: ['done'],
  summary: 'Say that you are done: your grant ends now, live sessions included',
  arguments: { grant: { value: text('GRANT'), about: 'The id of the grant.' } },
  options: { note: { about: 'A word for the record.', value: text('TEXT') } },
  examples: [{ line: 'tidegate done grt_01j… --note "Index rebuilt"', about: 'End a grant' }],
  run: async (invocation, { grant: id, note }) => {
    const client = await connectToServer(invocation)
    const grant = await retrying(invocation, () => client.endGrant({ id, because: 'done', note }))
    invocation.out.result(grant, () => endedLines(grant))
    return 'ok'
  },
})
