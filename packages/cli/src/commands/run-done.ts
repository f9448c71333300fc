/** `tidegate run done` */

import { defineCommand } from '../command.ts'
import { styled } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'

export const runDone = defineCommand({
  name: ['run', 'done'],
  summary: 'Say that the run of a workload is over: its logins, grants and sessions end now',
  details: [
    'For a service that configuration binds to its run. Without it, what the run was given ends with its login.',
  ],
  examples: [{ line: 'tidegate run done', about: 'The last step of a job' }],
  run: async (invocation) => {
    const client = await connectToServer(invocation)
    const ended = await retrying(invocation, () => client.endRun({}))
    invocation.out.result(ended, () => [
      [
        styled('green', 'Done'),
        `: run ${ended.run}. Logins ended: ${ended.loginsEnded}; grants: ${ended.grantsEnded}.`,
      ],
    ])
    return 'ok'
  },
})
