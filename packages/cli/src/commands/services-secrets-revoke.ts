/** `tidegate services secrets revoke` */

import { defineCommand } from '../command.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const servicesSecretsRevoke = defineCommand({
  name: ['services', 'secrets', 'revoke'],
  summary: 'Revoke a secret of a service, and end the logins it was used for',
  details: ['For the owner of the service and administrators.'],
  arguments: { secret: { value: text('SECRET'), about: 'Its id, and not the secret itself.' } },
  examples: [{ line: 'tidegate services secrets revoke svs_01j…', about: 'Revoke it' }],
  run: async (invocation, { secret: id }) => {
    const client = await connectToServer(invocation)
    const revoked = await retrying(invocation, () => client.revokeServiceSecret({ id }))
    invocation.out.result(revoked, () => [
      [styled('green', 'Revoked'), `: ${revoked.id} of ${revoked.service}. Grants that were opened by it go on.`],
    ])
    return 'ok'
  },
})
