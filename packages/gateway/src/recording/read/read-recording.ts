/** Reads the events of a recording: of a whole one, or of one that is being written. */

import type { Head } from '../format/head.ts'
import type { RecordingHeader } from '../format/header.ts'
import { readerLimits } from '../limits.ts'
import type { RecordedEvent } from '../write/watch.ts'
import type { TooLong } from './events.ts'
import { scanRecording } from './scan.ts'
import type { ScanOptions } from './scan.ts'
import { judgeRecording } from './verify.ts'
import type { RecordingVerdict } from './verify.ts'

export type ReadRecordingOptions = {
  /** The latest head that the audit log has: what it proves must be there. */
  readonly head?: Head
  /** Gives the salts of commitments with them, where they are not erased. */
  readonly salts?: boolean
  /** What the memory for one event may be. */
  readonly eventBytes?: number
}

/** What does not hold of a recording that was being read. */
export type RecordingError = Error & {
  readonly code: 'recording-does-not-hold'
  readonly verdict: Extract<RecordingVerdict, { ok: false }>
}

export const isRecordingError = (error: unknown): error is RecordingError =>
  error instanceof Error && 'code' in error && error.code === 'recording-does-not-hold'

/**
 * The events, one after the other, as far as they hold; then throws a {@link RecordingError} if something does not.
 * Each has been checked against the chain when it is given. Memory stays bounded, whatever the files hold.
 */
export async function* readRecording(
  folder: string,
  options: ReadRecordingOptions = {},
): AsyncGenerator<RecordedEvent | TooLong> {
  yield* eventsOf(folder, options)
}

/** The first record of a recording. Throws a {@link RecordingError} where there is none. */
export async function readHeader(folder: string): Promise<RecordingHeader> {
  for await (const item of scanRecording(folder)) {
    if (item.item === 'header') return item.header
    if (item.item === 'over') {
      const verdict = judgeRecording(item.outcome, undefined, { state: 'none' })
      throw recordingError(verdict.ok ? { ...nothing, head: verdict.head } : verdict)
    }
  }
  throw new Error('a scan ends with its outcome')
}

const nothing = { ok: false, reason: 'missing', detail: 'its header has not been written' } as const

export type FollowOptions = Omit<ReadRecordingOptions, 'head'> & {
  /** Ends it. */
  readonly signal?: AbortSignal
  /** Resolves when it is time to look again. */
  readonly pause?: () => Promise<void>
}

/**
 * The events from the first on, and then those that come: it looks every so often, and ends with the session. A gateway
 * that died writes no end: whoever follows decides when to stop. Works across processes; within one, `watch` is sooner.
 */
export async function* followRecording(
  folder: string,
  { signal, pause, ...options }: FollowOptions = {},
): AsyncGenerator<RecordedEvent | TooLong> {
  const isLeft = (): boolean => signal?.aborted === true
  const wait = async (): Promise<boolean> => {
    if (!isLeft()) await (pause === undefined ? rest(signal) : pause())
    return !isLeft()
  }
  yield* eventsOf(folder, { ...options, wait })
}

async function* eventsOf(folder: string, options: ScanOptions): AsyncGenerator<RecordedEvent | TooLong> {
  for await (const item of scanRecording(folder, options)) {
    if (item.item === 'event') yield item.event
    if (item.item !== 'over') continue
    const verdict = judgeRecording(item.outcome, options.head, { state: 'none' })
    // Whoever waits for a recording to begin may leave before it does.
    const neverBegan = options.wait !== undefined && !verdict.ok && verdict.reason === 'missing'
    if (!verdict.ok && !neverBegan) throw recordingError(verdict)
  }
}

const recordingError = (verdict: RecordingError['verdict']): RecordingError =>
  Object.assign(new Error(`The recording does not hold: ${verdict.detail}.`), {
    code: 'recording-does-not-hold' as const,
    verdict,
  })

const rest = (signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, readerLimits.followEveryMs)
    signal?.addEventListener('abort', done)
  })
