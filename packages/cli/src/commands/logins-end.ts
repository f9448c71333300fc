/** `tidegate logins end` */

import { defineCommand } from '../command.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const loginsEnd = defineCommand({
  name: ['logins', 'end'],
  summary: 'End a login of yours, or anyone’s for administrators: nobody is believed by it any more',
  details: [
    'Grants that were opened through it go on until their end: see `tidegate done` and `tidegate revoke`. Where an administrator ends a browser’s login, the command lines that it let in end with it.',
  ],
  arguments: { login: { value: text('LOGIN'), about: 'The id of the login.' } },
  examples: [{ line: 'tidegate logins end lgn_01j…', about: 'End one' }],
  run: async (invocation, { login }) => {
    const client = await connectToServer(invocation)
    const ended = await retrying(invocation, () => client.endLogin({ id: login }))
    invocation.out.result(ended, () => [`Ended: ${ended.id}, the ${ended.kind} of ${ended.principal}.`])
    return 'ok'
  },
})
