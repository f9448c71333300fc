/** `tidegate services secrets new` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { duration, text } from '../values.ts'
import { when } from '../words/times.ts'

export const servicesSecretsNew = defineCommand({
  name: ['services', 'secrets', 'new'],
  summary: 'Make a secret for a service that nothing else vouches for',
  details: [
    'For the owner of the service and administrators, where configuration allows it. Prints the secret once, on stdout. Two are good at a time: make the next one, change to it, revoke the one before.',
  ],
  arguments: { service: { value: text('SERVICE'), about: 'The id of the service.' } },
  options: { for: { about: 'How long it is good.', value: duration, required: true } },
  examples: [{ line: 'tidegate services secrets new ci --for 30d', about: 'Make one' }],
  run: async (invocation, { service, for: lasts }) => {
    const client = await connectToServer(invocation)
    const { secret, about } = await client.createServiceSecret({ service, lasts: lasts.text })
    invocation.out.note(`${about.id}, a secret of ${service}, good until ${when(invocation, about.expiresAt)}:`)
    invocation.out.result({ secret, about }, () => [secret])
    return 'ok'
  },
})
