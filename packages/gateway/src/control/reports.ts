/** What became of sessions, on its way to the control plane: in order, in batches, and again until it has been taken. */

import type { SessionReport } from './contract.ts'
import { codeOf } from './control-plane.ts'
import { createReportQueue, type Waiting } from './report-queue.ts'
import { backoffMs, pause } from './retry.ts'
import type { Log } from './settings.ts'

export type Reports = {
  readonly add: (report: SessionReport) => void
  /** More are waiting than there should be. */
  readonly isFull: () => boolean
  /** The end of this session is waiting to be told. */
  readonly hasEndOf: (session: string) => boolean
  /** Resolves when all are delivered, or it has been stopped. */
  readonly drained: () => Promise<void>
  readonly stop: () => void
}

type ReportsDeps = {
  readonly send: (reports: SessionReport[]) => Promise<{ readonly refused: readonly Refused[] }>
  /** It was taken, or will never be. */
  readonly settled: (report: SessionReport) => void
  readonly log: Log
  readonly random: (count: number) => Uint8Array
  /** In one call, and waiting. */
  readonly most: { readonly atOnce: number; readonly waiting: number }
}

type Refused = { readonly index: number; readonly reason: string }

export function createReports({ send, settled, log, random, most }: ReportsDeps): Reports {
  const queue = createReportQueue()
  const stopped = new AbortController()
  let running: Promise<void> | undefined
  /** Fewer after a batch that the server could not read, until the one is found that it is about. */
  let { atOnce } = most
  let failures = 0

  const settle = (batch: readonly Waiting[]): void => {
    queue.takeAway(batch)
    for (const { report } of batch) settled(report)
    atOnce = Math.min(most.atOnce, atOnce * 2)
    failures = 0
  }
  const failed = async (batch: readonly Waiting[], error: unknown): Promise<void> => {
    queue.putBack(batch)
    const isUnreadable = unreadable.includes(codeOf(error) ?? '')
    if (isUnreadable && batch.length > 1) {
      atOnce = batch.length >> 1
    } else if (isUnreadable) {
      // Left out: it must not keep back what comes after it.
      log('report-unreadable', { ...nameOf(batch[0]), why: String(error) })
      settle(batch)
    } else {
      failures += 1
      if (failures === 1) log('reports-waiting', { reports: queue.size(), why: String(error) })
      await pause(backoffMs(failures, random), stopped.signal)
    }
  }
  const run = async (): Promise<void> => {
    while (queue.size() > 0 && !stopped.signal.aborted) {
      const batch = queue.peek(atOnce)
      try {
        const { refused } = await send(batch.map(({ report }) => report))
        for (const { index, reason } of refused) log('report-refused', { ...nameOf(batch[index]), reason })
        settle(batch)
      } catch (error) {
        await failed(batch, error)
      }
    }
    running = undefined
  }

  return {
    add(report) {
      queue.add(report)
      running ??= run()
    },
    isFull: () => queue.size() >= most.waiting,
    hasEndOf: queue.hasEndOf,
    drained: async () => running,
    stop: () => stopped.abort(),
  }
}

const unreadable: readonly string[] = ['invalid-input', 'not-json', 'body-too-large']

const nameOf = (waiting: Waiting | undefined) => ({ session: waiting?.report.session, what: waiting?.report.what })
