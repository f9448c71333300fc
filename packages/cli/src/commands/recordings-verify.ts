/** `tidegate recordings verify` */

import type { Client } from '@tidegate/api'
import { ApiError } from '@tidegate/api'
import type { Head, RecordingVerdict } from '@tidegate/gateway'
import { defineCommand } from '../command.ts'
import { findRecordings, pathArgument, sessionOption } from '../recordings/find.ts'
import type { Tally } from '../recordings/verdict.ts'
import { count, exitOf, printVerdict, tallyWords } from '../recordings/verdict.ts'
import { connectToServer } from '../server.ts'

export const recordingsVerify = defineCommand({
  name: ['recordings', 'verify'],
  summary: 'Read recordings whole and recompute them: every record, every chain',
  details: [
    'On the machine that has them. By themselves they show that they hang together: one that was cut at its end, or written anew as a whole, still does. With --anchored each is held against what the server has of it, which it got while the session went on.',
    'Exits with 8 where one does not hold.',
  ],
  arguments: { path: pathArgument },
  options: {
    session: sessionOption,
    anchored: { about: 'Hold each against what the server has of it.' },
  },
  examples: [
    { line: 'tidegate recordings verify /var/lib/tidegate-gateway --anchored', about: 'All of a gateway' },
    { line: 'tidegate recordings verify . --session ses_01j…', about: 'One, with no network' },
  ],
  run: async (invocation, { path, session, anchored }) => {
    const client = anchored ? await connectToServer(invocation) : undefined
    const { verifyRecording } = await import('@tidegate/gateway')
    const tally: Tally = { held: 0, broken: 0, unreadable: 0 }
    for await (const found of findRecordings({ path, session })) {
      const anchor = client && (await anchoredHead(client, found.session))
      const head = anchor?.head
      const verdict = judged(anchor, await verifyRecording(found.folder, head && { head }))
      printVerdict(invocation, found, verdict)
      count(tally, verdict)
    }
    invocation.out.note(`${tallyWords(tally)}.`)
    if (!anchored) invocation.out.note('Held against themselves only: see --anchored.')
    return exitOf(tally)
  },
})

/** Of a session that the server knows: absent where nothing of its recording has been anchored yet. */
type Anchored = { readonly known: boolean; readonly head?: Head | undefined }

async function anchoredHead(client: Client, id: string): Promise<Anchored> {
  try {
    const { head } = await client.getSession({ id })
    return { known: true, head: head && { session: id, ...head } }
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return { known: false }
    throw error
  }
}

/** Whatever hangs together by itself: nothing vouches for the recording of a session that nobody knows. */
const judged = (anchored: Anchored | undefined, verdict: RecordingVerdict): RecordingVerdict =>
  anchored?.known === false
    ? { ok: false, reason: 'rewritten', detail: 'the server knows no such session', head: verdict.head }
    : verdict
