/** `tidegate logins end` */

import { idPrefixes } from '@tidegate/core'
import { defineCommand } from '../command.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const loginsEnd = defineCommand({
  name: ['logins', 'end'],
  summary:
    'End a login of yours or of who acts for you, or anyone’s for administrators: nobody is believed by it any more',
  details: [
    'Grants that were opened through it go on until their end: see `tidegate done` and `tidegate revoke`. Where an administrator ends a browser’s login, the command lines that it let in end with it.',
  ],
  arguments: { login: { value: text('LOGIN'), about: 'The id of the login.' } },
  examples: [
    { line: 'tidegate logins end lgn_01j…', about: 'End one' },
    { line: 'tidegate logins end mlg_01j…', about: 'End one of a service or an agent' },
  ],
  run: async (invocation, { login }) => {
    const client = await connectToServer(invocation)
    if (login.startsWith(`${idPrefixes.machineLogin}_`)) {
      const ended = await retrying(invocation, () => client.endMachineLogin({ id: login }))
      invocation.out.result(ended, () => [`Ended: ${ended.id}, a login of ${ended.principal}.`])
      return 'ok'
    }
    const ended = await retrying(invocation, () => client.endLogin({ id: login }))
    invocation.out.result(ended, () => [`Ended: ${ended.id}, the ${ended.kind} of ${ended.principal}.`])
    return 'ok'
  },
})
