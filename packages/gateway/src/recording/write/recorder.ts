/** Records sessions: what they tell is queued, encoded in batches, and written in turns by all of them together. */

import { randomBytes } from 'node:crypto'
import { scratchBytes } from './block-builder.ts'
import { createDueQueue, systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import type { SessionEvent, SessionRecorder } from '../event.ts'
import { createDiskThread } from './disk-thread.ts'
import type { Disk } from './disk.ts'
import type { Head } from '../format/head.ts'
import type { SessionMeta } from '../format/header.ts'
import { createIntake } from './intake.ts'
import type { Intake } from './intake.ts'
import { later } from './later.ts'
import { recorderLimits } from '../limits.ts'
import type { RecorderLimits } from '../limits.ts'
import { recordingFolder } from '../format/place.ts'
import type { RecordingPolicy } from '../policy.ts'
import { createPressure } from './pressure.ts'
import type { Pressure } from './pressure.ts'
import { createRowsBudget } from './rows-budget.ts'
import { createSalts } from './salts.ts'
import type { Shared } from './shared.ts'
import { createTurns } from './turns.ts'
import { createWatchers } from './watch.ts'
import type { WatchedEvent } from './watch.ts'
import { createWriter } from './writer.ts'
import type { Writer } from './writer.ts'

export type Recorder = SessionRecorder & {
  /** The session from now on, as it is recorded. Ends with it. */
  readonly watch: () => AsyncIterableIterator<WatchedEvent, undefined>
  /** What is on disk, also after a power failure. */
  readonly head: () => Head
}

export type RecordingOptions = {
  readonly session: SessionMeta
  readonly policy: RecordingPolicy
  /**
   * Puts a head where it cannot be changed any more. Called with what is on disk: every few seconds while there is
   * something new, and at the end, also when the recording fails and when there was nothing to record. Does not throw.
   */
  readonly anchor: (head: Head) => void
}

export type Recorders = {
  /** Throws a `RangeError` for a session id that cannot name a folder. Nothing is written before the first event. */
  readonly open: (options: RecordingOptions) => Recorder
  /** Ends every recording that is open. */
  readonly close: () => Promise<void>
}

export type RecordersDeps = {
  readonly dir: string
  readonly clock?: Clock
  /** Cryptographically random bytes. */
  readonly random?: (count: number) => Uint8Array
  readonly disk?: Disk
  readonly limits?: RecorderLimits
}

export function createRecorders({
  dir,
  clock = systemClock,
  random = randomBytes,
  limits = recorderLimits,
  disk = createDiskThread(limits),
}: RecordersDeps): Recorders {
  const call = (due: () => void): void => due()
  const shared: Shared = {
    dir,
    clock,
    salt: createSalts(random),
    disk,
    limits,
    scratch: Buffer.allocUnsafeSlow(scratchBytes(limits)),
    turns: createTurns(limits.turnsAtOnce),
    flushes: createDueQueue(clock, limits.flushMs, call),
    anchors: createDueQueue(clock, limits.anchorMs, call),
    stalls: createDueQueue(clock, limits.stallMs, call),
    held: { bytes: 0 },
    waiting: new Set(),
  }
  const open = new Set<Recorder>()
  return {
    open(options) {
      const recorder = createRecorder(shared, options, () => open.delete(recorder))
      open.add(recorder)
      return recorder
    },
    async close() {
      await Promise.all(Array.from(open, (recorder) => recorder.end()))
      shared.flushes.stop()
      shared.anchors.stop()
      shared.stalls.stop()
      disk.close()
    },
  }
}

function createRecorder(shared: Shared, { session, policy, anchor }: RecordingOptions, left: () => void): Recorder {
  const { limits, held } = shared
  const watchers = createWatchers(limits.watcher)
  const intake = createIntake({ ...shared, policy, watchers, all: held })
  const folder = recordingFolder(shared.dir, session.session, session.started)
  const file = shared.disk.open({ folder, header: { ...session, policy } })
  const rows = createRowsBudget(limits.rows)
  const failed = later<string>()
  const ended = later<void>()
  let isOpen = true

  const fitRows = (event: Extract<SessionEvent, { type: 'rows' }>): SessionEvent | undefined =>
    policy.rows === 'none' ? undefined : rows.fit(event)
  const pressure = pressureOf(shared, intake, () => (isOpen ? writer : undefined))
  const turned = (): void => {
    pressure.relieve()
    if (held.bytes <= limits.all.low) for (const relieve of shared.waiting) relieve()
  }
  const writer = createWriter({
    shared,
    session: session.session,
    intake,
    file,
    anchor,
    turned,
    over(reason) {
      isOpen = false
      left()
      watchers.end()
      ended.resolve()
      if (reason !== undefined) failed.resolve(reason)
      turned()
    },
  })

  return {
    record(event) {
      if (!isOpen) return
      try {
        const fitting = event.type === 'rows' ? fitRows(event) : event
        if (fitting === undefined) return
        intake.push(fitting)
        writer.touch()
        if (intake.isFull()) writer.write()
        if (intake.held() > limits.sessionMost) throw new Error('the session went on although nothing could be written')
      } catch (error) {
        writer.fail(error)
      }
    },
    keepsRows: policy.rows !== 'none',
    wantsRows: (statement) => isOpen && policy.rows !== 'none' && rows.has(statement),
    pressure: pressure.ask,
    failed: failed.promise,
    end() {
      isOpen = false
      writer.end()
      return ended.promise
    },
    watch() {
      intake.encode()
      return watchers.watch()
    },
    head: writer.head,
  }
}

/** @param writer of the session, while it is open */
function pressureOf(shared: Shared, intake: Intake, writer: () => Writer | undefined): Pressure {
  const { clock, limits, held } = shared
  const isLate = (): boolean => {
    const oldest = writer()?.oldest()
    return oldest !== undefined && clock.now() - oldest >= limits.lagMs
  }
  const high = { session: limits.session.high, all: limits.all.high }
  const low = { session: limits.session.low, all: limits.all.low }
  const isOver = ({ session, all }: typeof high): boolean =>
    writer() !== undefined && (intake.held() > session || held.bytes > all || isLate())
  const pressure = createPressure({
    isTooMuch: () => isOver(high),
    isLittle: () => !isOver(low),
    began() {
      shared.waiting.add(pressure.relieve)
      writer()?.flush()
    },
    ended: () => shared.waiting.delete(pressure.relieve),
  })
  return pressure
}
