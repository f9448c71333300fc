/** `tidegate assume` */

import { administrationResource } from '@tidegate/core'
import { obtainGrant } from '../access/obtain.ts'
import { defineCommand } from '../command.ts'
import { Failure } from '../failure.ts'
import { withInterruption } from '../interruption.ts'
import { command, styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { duration, role, text } from '../values.ts'
import { timeWords } from '../words/grant.ts'

export const assume = defineCommand({
  name: ['assume'],
  summary: 'Hold a role of Tidegate itself for a while: tidegate/owner, tidegate/policy-author, tidegate/auditor',
  details: [
    'Uses a grant of yours for this role that has time left, or asks for one and waits for its answer. From then on your calls may do what the role may, until the grant ends. There is no login: the grant is what counts.',
  ],
  arguments: { role: { value: role, about: 'tidegate/owner, tidegate/policy-author or tidegate/auditor.' } },
  options: {
    for: { about: 'How long, where a request is made; 1h where it is not given.', value: duration },
    reason: { about: 'What for, where a request is made; asked for at a terminal.', value: text('TEXT') },
    ticket: { about: 'The ticket it is for.', value: text('TICKET') },
    timeout: { about: 'How long to wait for an answer.', value: duration, default: '10m' },
  },
  examples: [
    {
      line: 'tidegate assume tidegate/auditor --for 1h --reason "Quarterly audit"',
      about: 'Read everything for an hour',
    },
    {
      line: 'tidegate assume tidegate/policy-author --reason "OPS-17: a role for the new service"',
      about: 'Change policy',
    },
  ],
  run: async (invocation, input) =>
    withInterruption(invocation, async (interruption) => {
      mustBeOfTidegate(input.role)
      const client = await connectToServer(invocation)
      const wish = { ...input, duration: input.for, wait: true, reuse: ['ready', 'active'] as const }
      const obtained = await obtainGrant(invocation, { client, interruption }, wish)
      if (obtained.outcome === 'none') return obtained.exit
      const { id } = obtained.grant
      const grant = await retrying(invocation, () => client.assumeGrant({ id }))
      invocation.out.result(grant, () => [
        [styled('green', 'Yours'), `: ${grant.role}; it ${timeWords(invocation, grant)}.`],
        ['  End it: ', command(`tidegate done ${grant.id}`)],
      ])
      return 'ok'
    }),
})

/** Before anything is asked for. */
function mustBeOfTidegate(role: string): void {
  if (role.startsWith(`${administrationResource}/`)) return
  const message = `${role} is a role on a target, which is opened and not assumed.`
  throw new Failure('usage', message, { remedy: `Open it: tidegate connect ${role}.` })
}
