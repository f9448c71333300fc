/** `tidegate recordings follow` */

import { defineCommand } from '../command.ts'
import { Failure } from '../failure.ts'
import { withInterruption } from '../interruption.ts'
import { eventLine } from '../recordings/event-line.ts'
import { findRecordings, pathArgument, sessionOption } from '../recordings/find.ts'
import type { Found, Where } from '../recordings/find.ts'

export const recordingsFollow = defineCommand({
  name: ['recordings', 'follow'],
  summary: 'Watch one session: what was recorded so far, and what comes, until it ends or Ctrl-C',
  details: [
    'On the machine that has its recording. A gateway that died writes no end: then it waits until Ctrl-C. With --output json each event is one line, as in an export.',
  ],
  arguments: { path: pathArgument },
  options: { session: sessionOption },
  examples: [
    { line: 'tidegate recordings follow /var/lib/tidegate-gateway --session ses_01j…', about: 'Watch a session' },
  ],
  run: async (invocation, where) => {
    const { eventForm, followRecording } = await import('@tidegate/gateway')
    const { session, folder } = await theOne(where)
    return withInterruption(invocation, async ({ signal }) => {
      invocation.out.note(`Following ${session}.`)
      for await (const event of followRecording(folder, { signal })) {
        invocation.out.item(eventForm(event), () => [eventLine(invocation, event)])
        if (invocation.stdout.destroyed) return 'ok'
      }
      invocation.out.note(signal.aborted ? 'No longer following; the session goes on.' : 'The session has ended.')
      return 'ok'
    })
  },
})

async function theOne(where: Where): Promise<Found> {
  const [one, ...others] = await all(where)
  if (one !== undefined && others.length === 0) return one
  throw new Failure('usage', `There are several recordings in ${where.path}.`, {
    remedy: 'Say which with --session; `tidegate sessions` lists those that are open.',
  })
}

async function all(where: Where): Promise<readonly Found[]> {
  const found: Found[] = []
  for await (const one of findRecordings(where)) found.push(one)
  return found
}
