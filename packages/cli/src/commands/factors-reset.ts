/** `tidegate factors reset` */

import { defineCommand } from '../command.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { when } from '../words/times.ts'

export const factorsReset = defineCommand({
  name: ['factors', 'reset'],
  summary: 'Have someone’s second factors forgotten, so that they begin anew (administrators)',
  details: [
    'For a phone that is lost, or was someone else’s. Their logins end; grants go on until their end: see `tidegate revoke`. At each login of the next two weeks they are told by whom and when.',
    'Who signs in at a provider adds the first factor again at /account, as `firstFactor` in the configuration says. Who has an account of Tidegate itself comes back by the link that is printed: give it to them and nobody else.',
  ],
  arguments: { user: { value: text('USER'), about: 'The id of the user.' } },
  options: { reason: { about: 'Why; it goes on record.', value: text('TEXT'), required: true } },
  examples: [{ line: 'tidegate factors reset alice --reason "Phone stolen"', about: 'Begin anew' }],
  run: async (invocation, { user, reason }) => {
    const client = await connectToServer(invocation)
    const reset = await client.resetFactors({ user, reason })
    const { invitation } = reset
    invocation.out.note(
      `Reset: ${reset.user}. Passkeys: ${reset.passkeys}; codes of an app: ${reset.totp ? 'yes' : 'no'}; recovery codes: ${reset.recoveryCodes}; logins ended: ${reset.loginsEnded}.`,
    )
    if (invitation)
      invocation.out.note(`The link for ${reset.user}, good once, until ${when(invocation, invitation.endsAt)}:`)
    invocation.out.result(reset, () => (invitation ? [invitation.url] : []))
    return 'ok'
  },
})
