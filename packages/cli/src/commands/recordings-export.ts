/** `tidegate recordings export` */

import { defineCommand } from '../command.ts'
import { findRecordings, pathArgument, sessionOption } from '../recordings/find.ts'
import { writeAll } from '../streams.ts'
import { withoutInvisible } from '../terminal-text.ts'

export const recordingsExport = defineCommand({
  name: ['recordings', 'export'],
  summary: 'Recordings as JSON Lines, on stdout',
  details: [
    'On the machine that has them. Of each recording a line `recording`, one for each event, and at last its `verdict`: an export without it was cut. docs/reference/recording.md says what is in an event.',
    'Exits with 8 where one does not hold; what is before that does.',
  ],
  arguments: { path: pathArgument },
  options: {
    session: sessionOption,
    salts: { about: 'With the salts of what is sealed, where they are kept: whoever has them can try values.' },
  },
  examples: [
    { line: 'tidegate recordings export . --session ses_01j…', about: 'One session, for another program' },
    { line: 'tidegate recordings export /var/lib/tidegate-gateway', about: 'All of a gateway' },
  ],
  run: async ({ stdout }, { path, session, salts }) => {
    const { exportRecording } = await import('@tidegate/gateway')
    let holds = true
    for await (const { folder } of findRecordings({ path, session })) {
      for await (const line of exportRecording(folder, { salts })) {
        await writeAll(stdout, withoutInvisible(line))
        if (line.startsWith(verdictLine)) holds &&= isGood(line)
        if (stdout.destroyed) return 'ok'
      }
    }
    return holds ? 'ok' : 'verification-failed'
  },
})

/** Each line begins with its type. */
const verdictLine = '{"type":"verdict"'

const isGood = (line: string): boolean => (JSON.parse(line) as { readonly ok?: unknown }).ok === true
