/** Sessions, events and recordings of them. For tests only. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { instant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import fc from 'fast-check'
import type { Parameter, SessionEvent } from '../event.ts'
import type { Head } from '../format/head.ts'
import type { SessionMeta } from '../format/header.ts'
import { recordingFolder } from '../format/place.ts'
import { recorderLimits } from '../limits.ts'
import type { RecorderLimits } from '../limits.ts'
import type { RecordingPolicy } from '../policy.ts'
import { readRecording } from '../read/read-recording.ts'
import type { ReadRecordingOptions } from '../read/read-recording.ts'
import type { TooLong } from '../read/events.ts'
import { createRecorders } from '../write/recorder.ts'
import type { RecordedEvent } from '../write/watch.ts'
import { directDisk } from './direct-disk.ts'
import { manualClock } from './manual-clock.ts'

export const keepAll: RecordingPolicy = { text: 'keep', parameters: 'keep', rows: 'keep' }
export const commitAll: RecordingPolicy = { text: 'commit', parameters: 'commit', rows: 'commit' }

export const sampleStart = instant(Date.UTC(2026, 2, 1, 9, 30))

export const sampleSession = (session = 'ses_sample', started: Instant = sampleStart): SessionMeta => ({
  session,
  grant: 'grt_01m80b3sgk5x0vdvvh3xjxbbq1',
  principal: 'user:alice',
  resource: 'orders-db',
  role: 'readonly',
  gateway: 'gw-1',
  started,
})

/** Of a statement and its result, as many times. */
export const sampleEvents = (statements: number): SessionEvent[] =>
  Array.from({ length: statements }, (_, i): SessionEvent[] => [
    {
      type: 'statement',
      at: instant(sampleStart + 10 * i),
      statement: i + 1,
      protocol: 'extended',
      text: `select * from orders where id = $1 -- ${i % 3}`,
      parameters: [String(7_919 * i), null],
    },
    {
      type: 'result',
      at: instant(sampleStart + 10 * i + 3),
      statement: i + 1,
      durationMs: 2.125,
      rows: 1,
      bytes: 64,
      tag: 'SELECT 1',
    },
  ]).flat()

const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 60 }))
const parameter: fc.Arbitrary<Parameter> = fc.oneof(text, fc.uint8Array({ maxLength: 300 }), fc.constant(null))
const count = fc.oneof(fc.nat(300), fc.maxSafeNat())
const base = { at: fc.integer({ min: 0, max: 2 ** 46 }).map(instant), statement: count }

export const anyEvent: fc.Arbitrary<SessionEvent> = fc.oneof(
  fc.record<Extract<SessionEvent, { type: 'statement' }>>(
    {
      ...base,
      type: fc.constant('statement'),
      protocol: fc.constantFrom('simple', 'extended'),
      text: fc.oneof(text, fc.constantFrom('begin', 'commit')),
      parameters: fc.array(parameter, { maxLength: 8 }),
    },
    { requiredKeys: ['type', 'at', 'statement', 'protocol', 'text'] },
  ),
  fc.record<Extract<SessionEvent, { type: 'result' }>>(
    {
      ...base,
      type: fc.constant('result'),
      durationMs: fc.nat(2 ** 40).map((us) => us / 1_000),
      rows: count,
      bytes: count,
      tag: text,
      error: fc.record({ sqlstate: fc.string({ minLength: 5, maxLength: 5 }), message: text }),
    },
    { requiredKeys: ['type', 'at', 'statement', 'durationMs', 'rows', 'bytes'] },
  ),
  fc.record({ ...base, type: fc.constant('refused' as const), rule: text, message: text }),
  fc.record({ ...base, type: fc.constant('cancel' as const) }),
  fc.record<Extract<SessionEvent, { type: 'rows' }>>(
    {
      ...base,
      type: fc.constant('rows'),
      columns: fc.array(text, { maxLength: 4 }),
      rows: fc.array(fc.array(parameter, { maxLength: 4 }), { maxLength: 5 }),
      truncated: fc.constant(true as const),
    },
    { requiredKeys: ['type', 'at', 'statement', 'rows'] },
  ),
)

export type Written = {
  readonly folder: string
  /** Anchored, in order. The last is that of the whole recording. */
  readonly heads: readonly Head[]
}

export type WriteOptions = {
  readonly session?: string
  readonly policy?: RecordingPolicy
  readonly limits?: Partial<RecorderLimits>
  /** Anchors after each of so many events. */
  readonly anchorEvery?: number
}

/** Writes a recording from beginning to end. */
export async function writeRecording(
  dir: string,
  events: readonly SessionEvent[],
  { session = 'ses_sample', policy = keepAll, limits = {}, anchorEvery = Infinity }: WriteOptions = {},
): Promise<Written> {
  const clock = manualClock()
  const heads: Head[] = []
  const all = { ...recorderLimits, anchorMs: 0, ...limits }
  const recorders = createRecorders({ dir, clock, limits: all, disk: directDisk({ dir, limits: all }) })
  const recorder = recorders.open({
    session: sampleSession(session),
    policy,
    anchor: (head) => heads.push(head),
  })
  for (const [i, event] of events.entries()) {
    recorder.record(event)
    if ((i + 1) % anchorEvery !== 0) continue
    const before = heads.length
    clock.advance(recorderLimits.flushMs)
    await until(() => {
      clock.advance(0)
      return heads.length > before
    })
  }
  await recorder.end()
  await recorders.close()
  return { folder: recordingFolder(dir, session, sampleStart), heads }
}

/** Waits for what the event loop will bring about. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

export async function readAll(
  folder: string,
  options: ReadRecordingOptions = {},
): Promise<readonly (RecordedEvent | TooLong)[]> {
  const events = []
  for await (const event of readRecording(folder, options)) events.push(event)
  return events
}

/** Without the numbers that the recorder gave. */
export const unnumbered = (events: readonly (RecordedEvent | TooLong)[]): unknown[] =>
  events.map(({ sequence: _sequence, ...event }) => event)

export const filesIn = (folder: string): string[] => readdirSync(folder).map((name) => join(folder, name))
