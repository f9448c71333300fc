/** `tidegate sessions kill` */

import { defineCommand } from '../command.ts'
import type { Line } from '../output.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'
import type { Session } from '../words/session.ts'

export const sessionsKill = defineCommand({
  name: ['sessions', 'kill'],
  summary: 'End one session; its grant goes on',
  details: [
    'For one’s own sessions, and for administrators and owners of the resource. Whoever is cut off is told why, and can connect again for as long as the grant lasts.',
  ],
  arguments: { session: { value: text('SESSION'), about: 'The id of the session.' } },
  options: { reason: { about: 'Why; whoever is cut off reads it, and it goes on record.', value: text('TEXT') } },
  examples: [{ line: 'tidegate sessions kill ses_01j… --reason "It holds a lock on orders"', about: 'End it' }],
  run: async (invocation, { session: id, reason }) => {
    const client = await connectToServer(invocation)
    const session = await retrying(invocation, () => client.killSession({ id, reason }))
    invocation.out.result(session, () => killedLines(session))
    return 'ok'
  },
})

const killedLines = ({ id, principal, role, grant, gateway, endedAt }: Session): readonly Line[] => [
  endedAt === undefined
    ? [styled('green', 'Ending'), `: session ${id} (${principal}, ${role}); its gateway ${gateway} is told.`]
    : [styled('green', 'Ended'), `: session ${id} (${principal}, ${role}).`],
  `  Grant ${grant} goes on, and opens another session while it lasts.`,
]
