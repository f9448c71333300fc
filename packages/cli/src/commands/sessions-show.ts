/** `tidegate sessions show` */

import { defineCommand } from '../command.ts'
import { Failure } from '../failure.ts'
import { withInterruption } from '../interruption.ts'
import { readFromAfar, reasonOption } from '../recordings/afar.ts'
import { showEvents } from '../recordings/show-events.ts'
import { connectToServer } from '../server.ts'
import { text } from '../values.ts'
import { sessionLines } from '../words/session.ts'

export const sessionsShow = defineCommand({
  name: ['sessions', 'show'],
  summary: 'One session: whose, from where, what it used, and how far its recording is anchored',
  details: [
    'With --statements also what was done in it, as far as it is recorded: for auditors and owners of the resource, with a --reason that goes on record first. The recording comes from the gateway that has it, and is recomputed here against what the log has of it. Exits with 8 where it does not hold. With --output json each event is one line.',
  ],
  arguments: { session: { value: text('SESSION'), about: 'The id of the session.' } },
  options: { statements: { about: 'Also what was done in it.' }, reason: reasonOption },
  examples: [
    { line: 'tidegate sessions show ses_01j…', about: 'Look at one' },
    { line: 'tidegate sessions show ses_01j… --statements --reason "Order 7 is gone"', about: 'See what was done' },
  ],
  run: async (invocation, { session: id, statements, reason }) => {
    const client = await connectToServer(invocation)
    if (!statements) {
      const session = await client.getSession({ id })
      invocation.out.result(session, () => sessionLines(invocation, session))
      return 'ok'
    }
    if (reason === undefined) {
      throw new Failure('usage', 'Whoever looks at what was done in a session says why.', {
        remedy: 'Give --reason; it goes on record.',
      })
    }
    return withInterruption(invocation, async ({ signal }) => {
      const wish = { session: id, reason, follow: false }
      return (await showEvents(invocation, readFromAfar(invocation, { client, wish, signal }))) ?? 'failure'
    })
  },
})
