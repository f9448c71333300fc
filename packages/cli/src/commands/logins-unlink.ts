/** `tidegate logins unlink` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'

export const loginsUnlink = defineCommand({
  name: ['logins', 'unlink'],
  summary: 'Take a sign-in at a provider for nobody any more (administrators)',
  details: [
    'Its logins end, and what was opened through them. At the next sign-in it is asked anew whose it is, by the rules of the guide: who is to stay out is not active at the provider, and who is to be someone else is named under `signIns`.',
  ],
  arguments: {
    provider: { value: text('PROVIDER'), about: 'The id of the provider.' },
    subject: { value: text('SUBJECT'), about: 'What it calls them: see `tidegate logins links`.' },
  },
  examples: [{ line: 'tidegate logins unlink okta 00u1dora', about: 'Forget one' }],
  run: async (invocation, { provider, subject }) => {
    const client = await connectToServer(invocation)
    const link = await client.removeLoginLink({ provider, subject })
    invocation.out.result(link, () => [`Unlinked: ${link.subject} of ${link.provider} is no longer ${link.principal}.`])
    return 'ok'
  },
})
