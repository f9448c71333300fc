/** `tidegate sessions export` */

import { defineCommand } from '../command.ts'
import { withInterruption } from '../interruption.ts'
import { readFromAfar, reasonOption } from '../recordings/afar.ts'
import { connectToServer } from '../server.ts'
import { writeAll } from '../streams.ts'
import { withoutInvisible } from '../terminal-text.ts'
import { text } from '../values.ts'

export const sessionsExport = defineCommand({
  name: ['sessions', 'export'],
  summary: 'The recording of a session as JSON Lines, on stdout',
  details: [
    'For auditors and owners of the resource, from any machine. A line `recording`, one for each event, and at last the `verdict`: an export without it was cut. What is in an event is in docs/reference/recording.md. It goes on record, with the reason, before anything is written.',
    'Exits with 8 where the recording does not hold against what the log has of it; what is before that does.',
  ],
  arguments: { session: { value: text('SESSION'), about: 'The id of the session.' } },
  options: { reason: { ...reasonOption, required: true } },
  examples: [{ line: 'tidegate sessions export ses_01j… --reason "Case 17"', about: 'For another program' }],
  run: async (invocation, { session, reason }) => {
    const client = await connectToServer(invocation)
    const { lineOf } = await import('@tidegate/gateway')
    return withInterruption(invocation, async ({ signal }) => {
      const wish = { session, reason, follow: false }
      for await (const item of readFromAfar(invocation, { client, wish, signal })) {
        await writeAll(invocation.stdout, withoutInvisible(lineOf(item)))
        if (invocation.stdout.destroyed) return 'ok'
        if (item.item === 'verdict') return item.verdict.ok ? 'ok' : 'verification-failed'
      }
      return 'failure'
    })
  },
})
