/** `tidegate sessions show` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { sessionLines } from '../words/session.ts'

export const sessionsShow = defineCommand({
  name: ['sessions', 'show'],
  summary: 'One session: whose, from where, and how far its recording is anchored',
  arguments: { session: { value: text('SESSION'), about: 'The id of the session.' } },
  examples: [{ line: 'tidegate sessions show ses_01j…', about: 'Look at one' }],
  run: async (invocation, { session: id }) => {
    const client = await connectToServer(invocation)
    const session = await client.getSession({ id })
    invocation.out.result(session, () => sessionLines(invocation, session))
    return 'ok'
  },
})
