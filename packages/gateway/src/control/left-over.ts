/** Sessions that were open when the gateway last died: what is on disk of them is told, and that they are over. */

import { formatInstant, type Instant, parseInstant } from '@tidegate/core'
import { recordingFolder } from '../recording/format/place.ts'
import { readRecording } from '../recording/read/read-recording.ts'
import { type RecordingVerdict, verifyRecording } from '../recording/read/verify.ts'
import type { Ended, Opened } from './contract.ts'
import { controlLimits as limits } from './limits.ts'
import type { Reports } from './reports.ts'
import { reportedHead, wordsOf } from './presence.ts'

type LeftOver = {
  readonly left: readonly Opened[]
  /** Of recordings. */
  readonly dir: string
  readonly now: () => Instant
  readonly reports: Pick<Reports, 'add'>
  readonly signal: AbortSignal
}

export type Recovery = {
  /** Its end is still to be told. */
  readonly has: (session: string) => boolean
  /** Resolves when all have been told of, or it was aborted. Never rejects. */
  readonly done: Promise<void>
}

/** One after the other: each recording is read as a whole. */
export function recoverSessions({ left, dir, now, reports, signal }: LeftOver): Recovery {
  const untold = new Set(left.map(({ session }) => session))
  const run = async (): Promise<void> => {
    for (const opened of left) {
      if (signal.aborted) return
      const end = await endOf(opened, dir)
      // What was told of its opening may have been lost with the process. Told twice, it counts once.
      reports.add(opened)
      reports.add({ ...end, at: formatInstant(now()) })
      untold.delete(opened.session)
    }
  }
  return { has: (session) => untold.has(session), done: run() }
}

async function endOf({ session, at }: Opened, dir: string): Promise<Omit<Ended, 'at'>> {
  const folder = recordingFolder(dir, session, parseInstant(at) ?? (0 as Instant))
  const verdict = await verifyRecording(folder)
  return {
    what: 'ended',
    session,
    reason: wordsOf(reasonFor(verdict), limits.reasonLength),
    ...(await countsOf(folder)),
    ...(verdict.head.segment > 0 && { head: reportedHead(verdict.head) }),
  }
}

function reasonFor(verdict: RecordingVerdict): string {
  if (verdict.ok && verdict.state === 'ended') return 'it ended while the gateway was stopping'
  const stopped = 'the gateway stopped before the session had ended'
  // Nothing had been said in it yet.
  if (verdict.ok || verdict.reason === 'missing') return stopped
  return `${stopped}; its recording does not hold: ${verdict.detail}`
}

/** As far as the recording holds. */
async function countsOf(folder: string): Promise<Pick<Ended, 'statements' | 'refused'>> {
  const counts = { statements: 0, refused: 0 }
  try {
    for await (const { type } of readRecording(folder)) {
      if (type === 'statement') counts.statements += 1
      else if (type === 'refused') counts.refused += 1
    }
  } catch {
    // Why it does not is in the reason.
  }
  return counts
}
