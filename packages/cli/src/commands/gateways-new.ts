/** `tidegate gateways new` */

import { defineCommand } from '../command.ts'
import { command } from '../output.ts'
import { connectToServer } from '../server.ts'
import { serverUrl } from '../settings.ts'
import { text } from '../values.ts'
import { when } from '../words/times.ts'

export const gatewaysNew = defineCommand({
  name: ['gateways', 'new'],
  summary: 'Invite a gateway: a token with which one process enrols, once',
  details: [
    'For administrators. Prints the token once, on stdout: it goes to the machine that the gateway is to run on, as TIDEGATE_ENROLMENT_TOKEN or on stdin.',
    'Again for the same name it makes a new token, and whoever enrolled with an earlier one is out.',
  ],
  arguments: { name: { value: text('NAME'), about: 'What it is to be called: lower-case letters, digits and -.' } },
  options: {
    resource: {
      about: 'Only for this resource; may be given several times. Without it, for every resource that has gateways.',
      value: text('RESOURCE'),
      many: true,
    },
  },
  examples: [
    { line: 'tidegate gateways new eu-1', about: 'Invite one' },
    { line: 'tidegate gateways new payments --resource ledger-db --resource cards-db', about: 'For some resources' },
  ],
  run: async (invocation, { name: id, resource }) => {
    const client = await connectToServer(invocation)
    const url = await serverUrl(invocation)
    const invited = await client.createGateway({ id, ...(resource.length > 0 && { resources: [...resource] }) })
    invocation.out.note(`The enrolment token of ${id}, good once, until ${when(invocation, invited.expiresAt)}:`)
    invocation.out.result(invited, () => [invited.enrolmentToken])
    invocation.out.note(
      '',
      'On the machine that it is to run on; it asks for the token:',
      ['  ', command(`tidegate gateway --url ${url} --data ./${id} --listen 127.0.0.1:7432`)],
      'Reachable by others it needs TLS: --tls-cert and --tls-key.',
    )
    return 'ok'
  },
})
