/** One session from its admission to its end: what is to become of it, and what is told of it. */

import { formatInstant, type Instant } from '@tidegate/core'
import type { PostgresSession, Reason } from '../postgres/shell/ports.ts'
import type { SessionRecorder } from '../recording/event.ts'
import type { Head } from '../recording/format/head.ts'
import type { Ended, Opened, ReportedHead } from './contract.ts'
import { controlLimits as limits } from './limits.ts'
import { createRefusals } from './refusals.ts'
import type { Reports } from './reports.ts'
import type { Tally } from './tally.ts'

export type Presence = Admitted & {
  readonly grant: string
  readonly session: string
  /** Absent: it is still coming in. */
  readonly rules: () => string | undefined
  readonly opened: (session: PostgresSession) => void
  /** Also before it has opened. Resolves when it has closed, if it had. */
  readonly end: (reason: Reason) => Promise<void>
  readonly move: (to: Instant) => void
}

/** A session that is coming in. */
export type Admitted = {
  /** Why it is not to open any more, if that came up. */
  readonly over: () => Reason | undefined
  /** It will not open. */
  readonly leave: () => void
  /** These rules: from here on others end it. */
  readonly heldTo: (rules: string) => void
  /** The recorder that the session is told, which counts what it is told. */
  readonly recordedBy: (recording: Recording) => SessionRecorder
  /** Takes heads of the recording. */
  readonly anchor: (head: Head) => void
}

export type Recording = {
  readonly recorder: SessionRecorder & { readonly head: () => Head }
  readonly tally: Tally
}

export type PresenceDeps = {
  readonly now: () => Instant
  readonly reports: Pick<Reports, 'add'>
  /** It is over, or never came to be. */
  readonly gone: (presence: Presence, became: 'closed' | 'nothing') => void
}

export function createPresence(report: Opened, { now, reports, gone }: PresenceDeps): Presence {
  const at = (): string => formatInstant(now())
  let open: PostgresSession | undefined
  let recording: Recording | undefined
  let over: Reason | undefined
  let rules: string | undefined
  let moved: Instant | undefined
  let isEnding = false
  const refusals = createRefusals({ session: report.session, now, tell: reports.add })

  const leave = (): void => gone(presence, 'nothing')
  const closed = (reason: Reason): void => {
    gone(presence, 'closed')
    refusals.rest()
    reports.add(endOf({ session: report.session, at: at(), reason }, recording))
  }
  const presence: Presence = {
    grant: report.grant,
    session: report.session,
    rules: () => rules,
    over: () => over,
    leave,
    heldTo: (edition) => (rules = edition),
    recordedBy(by) {
      recording = by
      const { recorder, tally } = by
      return {
        record(event) {
          tally.count(event)
          if (event.type === 'refused') refusals.add(event)
          recorder.record(event)
        },
        keepsRows: recorder.keepsRows,
        wantsRows: (statement) => recorder.wantsRows(statement),
        pressure: () => recorder.pressure(),
        failed: recorder.failed,
        async end() {
          isEnding = true
          if (open === undefined) leave()
          await recorder.end()
        },
      }
    },
    anchor(head) {
      // The end of a session carries its last head, and a session that never was has none.
      if (open === undefined || isEnding) return
      reports.add({ what: 'recorded', session: report.session, at: at(), head: reportedHead(head) })
    },
    opened(session) {
      open = session
      reports.add(report)
      void session.closed.then(closed)
      if (moved !== undefined) session.setDeadline(moved)
      if (over !== undefined) void session.end(over)
    },
    async end(reason) {
      over ??= reason
      await open?.end(reason)
    },
    move(to) {
      moved = to
      open?.setDeadline(to)
    },
  }
  return presence
}

type Ending = Pick<Ended, 'session' | 'at' | 'reason'>

function endOf({ reason, ...ending }: Ending, recording: Recording | undefined): Ended {
  const head = recording?.recorder.head()
  return {
    what: 'ended',
    ...ending,
    reason: wordsOf(reason, limits.reasonLength),
    ...(recording?.tally.sum() ?? { statements: 0, refused: 0 }),
    ...(head !== undefined && head.segment > 0 && { head: reportedHead(head) }),
  }
}

export const reportedHead = ({ segment, blocks, bytes, events, chain }: Head): ReportedHead => ({
  segment,
  blocks,
  bytes,
  events,
  chain,
})

/** As long as it may be, without half a character, which has no place in what is stored. */
export const wordsOf = (text: string, length: number): string =>
  text.slice(0, length).replaceAll(/\p{Surrogate}|\0/gu, '\ufffd')
