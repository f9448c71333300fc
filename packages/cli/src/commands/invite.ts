/** `tidegate invite` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { when } from '../words/times.ts'

export const invite = defineCommand({
  name: ['invite'],
  summary: 'Make a one-time link by which a user makes an account of Tidegate itself',
  details: [
    'For a team without an identity provider. The user has to be declared, and configuration to have `local` under `identity`. Whoever opens the link becomes that user: give it to them and nobody else.',
    'For someone who has an account it is the way back in: once the link is used, their old passkeys, password and codes count no longer, and their logins end.',
  ],
  arguments: { user: { value: text('USER'), about: 'The id of the user.' } },
  examples: [{ line: 'tidegate invite alice', about: 'A link for alice' }],
  run: async (invocation, { user }) => {
    const client = await connectToServer(invocation)
    const invited = await client.inviteUser({ user })
    invocation.out.note(`The link for ${invited.user}, good once, until ${when(invocation, invited.endsAt)}:`)
    invocation.out.result(invited, () => [invited.url])
    return 'ok'
  },
})
