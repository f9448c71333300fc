/** `tidegate recordings forget` */

import { defineCommand } from '../command.ts'
import type { Line } from '../output.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'
import type { Session } from '../words/session.ts'

export const recordingsForget = defineCommand({
  name: ['recordings', 'forget'],
  summary: 'Have the recording of a session that is over deleted, with a tombstone in its place',
  details: [
    'For administrators. That it was asked for, and why, is in the log before anything is deleted; that it was done follows, with where the recording stood. What is left on the gateway’s machine proves that it was a deletion.',
  ],
  arguments: { session: { value: text('SESSION'), about: 'The id of the session.' } },
  options: {
    reason: { about: 'Why; it goes on record, and stands on the tombstone.', value: text('TEXT'), required: true },
  },
  examples: [{ line: 'tidegate recordings forget ses_01j… --reason "Erasure request 12"', about: 'Delete one' }],
  run: async (invocation, { session: id, reason }) => {
    const client = await connectToServer(invocation)
    const session = await retrying(invocation, () => client.forgetRecording({ id, reason }))
    invocation.out.result(session, () => forgottenLines(session))
    return 'ok'
  },
})

const forgottenLines = ({ id, gateway, deletion }: Session): readonly Line[] => [
  deletion?.digest === undefined
    ? [styled('green', 'Asked'), `: the recording of ${id} is to be deleted; its gateway ${gateway} is told.`]
    : [styled('green', 'Deleted'), `: the recording of ${id}, by ${deletion.by}: ${deletion.reason}.`],
]
