/** `tidegate sessions follow` */

import { defineCommand } from '../command.ts'
import { withInterruption } from '../interruption.ts'
import { readFromAfar, reasonOption } from '../recordings/afar.ts'
import { showEvents } from '../recordings/show-events.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'

export const sessionsFollow = defineCommand({
  name: ['sessions', 'follow'],
  summary: 'Watch a session: what was done so far, and what comes, until it ends or Ctrl-C',
  details: [
    'For auditors and owners of the resource, from any machine. It goes on record, with the reason, before anything is shown. What is shown is about a second old: it is what is on disk. Exits with 8 where what came does not hold. With --output json each event is one line.',
  ],
  arguments: { session: { value: text('SESSION'), about: 'The id of the session.' } },
  options: { reason: { ...reasonOption, required: true } },
  examples: [{ line: 'tidegate sessions follow ses_01j… --reason "Watching the migration"', about: 'Watch it' }],
  run: async (invocation, { session, reason }) => {
    const client = await connectToServer(invocation)
    return withInterruption(invocation, async ({ signal }) => {
      const wish = { session, reason, follow: true }
      invocation.out.note(`Following ${session}.`)
      const exit = await showEvents(invocation, readFromAfar(invocation, { client, wish, signal }))
      invocation.out.note(exit === undefined ? 'No longer following; the session goes on.' : 'The session has ended.')
      return exit ?? 'ok'
    })
  },
})
