/**
 * What is to be told of sessions, in order. While it waits, the later of two heads of a recording takes the place of the
 * earlier, which it contains; so does what a rule has refused so far.
 */

import type { SessionReport } from './contract.ts'
import { controlLimits as limits } from './limits.ts'

export type Waiting = { report: SessionReport }

export type ReportQueue = {
  readonly add: (report: SessionReport) => void
  readonly size: () => number
  readonly hasEndOf: (session: string) => boolean
  /** The first of them, as many as one call has room for. They stay as they are until they are put back or taken away. */
  readonly peek: (most: number) => readonly Waiting[]
  readonly putBack: (batch: readonly Waiting[]) => void
  readonly takeAway: (batch: readonly Waiting[]) => void
}

export function createReportQueue(): ReportQueue {
  const queue: Waiting[] = []
  /** Those that a later one may take the place of. */
  const replaceable = new Map<string, Waiting>()
  const ends = new Set<string>()

  return {
    add(report) {
      const key = keyOf(report)
      const known = key === undefined ? undefined : replaceable.get(key)
      if (known !== undefined) {
        known.report = report
        return
      }
      const waiting = { report }
      queue.push(waiting)
      if (key !== undefined) replaceable.set(key, waiting)
      if (report.what === 'ended') ends.add(report.session)
    },
    size: () => queue.length,
    hasEndOf: (session) => ends.has(session),
    peek(most) {
      const batch = fitting(queue.slice(0, most))
      for (const waiting of batch) {
        const key = keyOf(waiting.report)
        if (key !== undefined && replaceable.get(key) === waiting) replaceable.delete(key)
      }
      return batch
    },
    putBack(batch) {
      for (const waiting of batch) {
        const key = keyOf(waiting.report)
        if (key !== undefined && !replaceable.has(key)) replaceable.set(key, waiting)
      }
    },
    takeAway(batch) {
      queue.splice(0, batch.length)
      for (const { report } of batch) if (report.what === 'ended') ends.delete(report.session)
    },
  }
}

/** Of reports with the same key the last says all. */
function keyOf(report: SessionReport): string | undefined {
  if (report.what === 'recorded') return report.session
  return report.what === 'refused' ? `${report.session} ${report.rule}` : undefined
}

/** As many from the first on as one call has room for, and at least that one. */
function fitting(batch: readonly Waiting[]): readonly Waiting[] {
  let bytes = 0
  const beyond = batch.findIndex(({ report }) => {
    bytes += Buffer.byteLength(JSON.stringify(report))
    return bytes > limits.reportsBytes
  })
  return beyond < 0 ? batch : batch.slice(0, Math.max(1, beyond))
}
