/** `tidegate recordings verify` */

import type { Client } from '@tidegate/api'
import { ApiError } from '@tidegate/api'
import type { RecordingVerdict, VerifyRecordingOptions } from '@tidegate/gateway'
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
      const anchor = client && (await anchoredOf(client, found.session))
      const verdict = judged(anchor, await verifyRecording(found.folder, anchor?.options))
      printVerdict(invocation, found, verdict)
      count(tally, verdict)
    }
    invocation.out.note(`${tallyWords(tally)}.`)
    if (!anchored) invocation.out.note('Held against themselves only: see --anchored.')
    return exitOf(tally)
  },
})

/** Of a session that the server knows: absent where nothing of its recording has been anchored yet. */
type Anchored = {
  readonly known: boolean
  /** Someone has asked for it to be deleted. */
  readonly mayBeGone: boolean
  readonly options: VerifyRecordingOptions
}

async function anchoredOf(client: Client, id: string): Promise<Anchored> {
  try {
    const { head, deletion } = await client.getSession({ id })
    const digest = deletion?.digest
    const options = {
      ...(head && { head: { session: id, ...head } }),
      ...(digest !== undefined && { deletion: digest }),
    }
    return { known: true, mayBeGone: deletion !== undefined, options }
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return { known: false, mayBeGone: false, options: {} }
    throw error
  }
}

/** Whatever hangs together by itself: nothing vouches for what nobody knows, or for a deletion that nobody asked for. */
function judged(anchored: Anchored | undefined, verdict: RecordingVerdict): RecordingVerdict {
  const { head } = verdict
  if (anchored?.known === false) {
    return { ok: false, reason: 'rewritten', detail: 'the server knows no such session', head }
  }
  if (anchored?.mayBeGone === false && verdict.ok && verdict.state === 'deleted') {
    const detail = `${verdict.detail}; the log knows of no deletion`
    return { ok: false, reason: 'missing', detail, head }
  }
  return verdict
}
