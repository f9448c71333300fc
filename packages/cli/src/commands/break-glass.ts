/** `tidegate break-glass` */

import { defineCommand } from '../command.ts'
import { command, styled } from '../output.ts'
import { connectToServer } from '../server.ts'
import { duration, role, text } from '../values.ts'
import { timeWords } from '../words/grant.ts'
import { reviewLine } from '../words/review.ts'

export const breakGlass = defineCommand({
  name: ['break-glass'],
  summary: 'Open a role at once and alone, in an emergency',
  details: [
    'For people and roles that configuration registers for it, where policy lists it. Nobody is waited for; everyone configured is told, and someone else reviews it afterwards. Where that is not done in time, you break no glass again until it is.',
  ],
  arguments: { role: { value: role, about: 'RESOURCE/ROLE, as `tidegate resources` lists them.' } },
  options: {
    reason: { about: 'What happened; everyone told and the reviewers read it.', value: text('TEXT'), required: true },
    for: { about: 'How long.', value: duration, default: '30m' },
  },
  examples: [
    {
      line: 'tidegate break-glass orders-db/maintainer --reason "Orders are down, nobody on call answers"',
      about: 'Go in',
    },
  ],
  run: async (invocation, input) => {
    const client = await connectToServer(invocation)
    const asked = { role: input.role, duration: input.for.text, reason: input.reason }
    const { request, grant, review } = await client.breakGlass(asked)
    // The secret is for whoever opens it: `connect` gets a new one.
    invocation.out.result({ request, grant, review }, () => [
      [styled('red', 'Glass broken'), `: ${grant.role}; it ${timeWords(invocation, grant)}.`],
      reviewLine(invocation, review),
      ...(grant.role.startsWith('tidegate/') ? [] : [['  Use it: ', command(`tidegate connect ${grant.role}`)]]),
      ['  End it: ', command(`tidegate done ${grant.id}`)],
    ])
    return 'ok'
  },
})
