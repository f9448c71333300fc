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
import type { Share } from '../../share.ts'
import type { RecordingPolicy } from '../policy.ts'
import { createPressure } from './pressure.ts'
import type { Pressure } from './pressure.ts'
import { createRowsBudget } from './rows-budget.ts'
import type { RowsBudget } from './rows-budget.ts'
import { createSalts } from './salts.ts'
import type { Shared } from './shared.ts'
import { createTurns } from './turns.ts'
import { createWatchers } from './watch.ts'
import type { WatchedEvent, Watchers } from './watch.ts'
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
  /** Of journals. Absent: nobody else writes recordings there. */
  readonly share?: Share
  readonly limits?: RecorderLimits
}

export function createRecorders({
  dir,
  clock = systemClock,
  random = randomBytes,
  limits = recorderLimits,
  share,
  disk = createDiskThread(dir, limits, share),
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
    flushes: createDueQueue(clock, { delayMs: limits.flushMs, togetherMs: limits.flushTogetherMs }, call),
    // The rest of that time is for the flush that a head may go along with.
    anchors: createDueQueue(clock, { delayMs: limits.anchorMs - limits.flushMs }, call),
    lags: createDueQueue(clock, { delayMs: limits.lagMs }, call),
    stalls: createDueQueue(clock, { delayMs: limits.stallMs }, call),
    held: { bytes: 0 },
    waiting: new Set(),
  }
  const open = new Set<Recorder>()
  return {
    open(options) {
      const recorder: Recorder = new SessionRecording(shared, options, () => open.delete(recorder))
      open.add(recorder)
      return recorder
    },
    async close() {
      await Promise.all(Array.from(open, (recorder) => recorder.end()))
      shared.flushes.stop()
      shared.anchors.stop()
      shared.lags.stop()
      shared.stalls.stop()
      disk.close()
    },
  }
}

/** What it is given here belongs to one session: methods, and no closures of its own that each event would go through. */
class SessionRecording implements Recorder {
  readonly keepsRows: boolean
  readonly failed: Promise<string>
  private readonly shared: Shared
  private readonly intake: Intake
  private readonly writer: Writer
  private readonly back: Pressure
  private readonly rows: RowsBudget
  private readonly watchers: Watchers
  private readonly ended = later<void>()
  private isOpen = true

  constructor(shared: Shared, { session, policy, anchor }: RecordingOptions, left: () => void) {
    const failed = later<string>()
    this.keepsRows = policy.rows !== 'none'
    this.failed = failed.promise
    this.shared = shared
    this.rows = createRowsBudget(shared.limits.rows)
    this.watchers = createWatchers(shared.limits.watcher)
    this.intake = createIntake({ ...shared, policy, watchers: this.watchers, all: shared.held })
    this.back = pressureOf(shared, this.intake, () => (this.isOpen ? this.writer : undefined))
    const turned = (): void => relieve(shared, this.back)
    const folder = recordingFolder(shared.dir, session.session, session.started)
    this.writer = createWriter({
      shared,
      session: session.session,
      intake: this.intake,
      file: shared.disk.open({ folder, header: { ...session, policy } }),
      anchor,
      turned,
      late: () => this.back.feel(),
      over: (reason) => {
        this.isOpen = false
        left()
        this.watchers.end()
        this.ended.resolve()
        if (reason !== undefined) failed.resolve(reason)
        turned()
      },
    })
  }

  record(event: SessionEvent): void {
    if (!this.isOpen) return
    try {
      const fitting = event.type === 'rows' ? this.fitRows(event) : event
      if (fitting !== undefined) this.take(fitting)
    } catch (error) {
      this.writer.fail(error)
    }
  }

  wantsRows(statement: number): boolean {
    return this.isOpen && this.keepsRows && this.rows.has(statement)
  }

  pressure(): Promise<void> | undefined {
    // What this session has is looked at when there is more of it; what the others have, now.
    if (this.shared.held.bytes > this.shared.limits.all.high) this.back.feel()
    return this.back.waited()
  }

  end(): Promise<void> {
    this.isOpen = false
    this.writer.end()
    return this.ended.promise
  }

  watch(): AsyncIterableIterator<WatchedEvent, undefined> {
    this.intake.encode()
    return this.watchers.watch()
  }

  head(): Head {
    return this.writer.head()
  }

  private take(event: SessionEvent): void {
    const { intake, writer } = this
    const { session, sessionMost } = this.shared.limits
    if (intake.push(event)) writer.touch()
    if (intake.isFull()) writer.write()
    const held = intake.held()
    if (held <= session.high) return
    if (held > sessionMost) throw new Error('the session went on although nothing could be written')
    this.back.feel()
  }

  private fitRows(event: Extract<SessionEvent, { type: 'rows' }>): SessionEvent | undefined {
    return this.keepsRows ? this.rows.fit(event) : undefined
  }
}

/** There is less than before: of one session, and perhaps of all together. */
function relieve({ held, limits, waiting }: Shared, own: Pressure): void {
  own.relieve()
  if (waiting.size === 0 || held.bytes > limits.all.low) return
  const others = Array.from(waiting)
  waiting.clear()
  for (const other of others) other()
}

/** @param writer of the session, while it is open */
function pressureOf(shared: Shared, intake: Intake, writer: () => Writer | undefined): Pressure {
  const { clock, limits, held, waiting } = shared
  const isLate = (): boolean => {
    const oldest = writer()?.oldest()
    return oldest !== undefined && clock.now() - oldest >= limits.lagMs
  }
  const isBehind = (bytes: number): boolean => intake.held() > bytes || isLate()
  const again = (): void => pressure.relieve()
  const pressure = createPressure({
    isTooMuch: () => writer() !== undefined && (held.bytes > limits.all.high || isBehind(limits.session.high)),
    isLittle() {
      // What it is behind with itself ends with a turn of its own. Only what the others have is looked at when they have had
      // theirs: were all that wait looked at then, each turn would cost as much as there are sessions.
      if (writer() === undefined) return true
      if (isBehind(limits.session.low)) return false
      if (held.bytes <= limits.all.low) return true
      waiting.add(again)
      return false
    },
    began() {
      if (held.bytes > limits.all.low) waiting.add(again)
      writer()?.flush()
    },
    ended: () => waiting.delete(again),
  })
  return pressure
}
