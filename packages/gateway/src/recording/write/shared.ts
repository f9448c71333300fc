import type { Clock, DueQueue } from '../clock.ts'
import type { Disk } from './disk.ts'
import type { RecorderLimits } from '../limits.ts'
import type { Turns } from './turns.ts'

/** What all recorders of a process share. */
export type Shared = {
  readonly dir: string
  readonly clock: Clock
  /** A fresh one each time. */
  readonly salt: () => Uint8Array
  readonly disk: Disk
  readonly limits: RecorderLimits
  /** Where events are encoded. Nothing stays in it. */
  readonly scratch: Buffer
  readonly turns: Turns
  readonly flushes: DueQueue<() => void>
  readonly anchors: DueQueue<() => void>
  readonly lags: DueQueue<() => void>
  readonly stalls: DueQueue<() => void>
  /** Bytes of all sessions that are not yet written. */
  readonly held: { bytes: number }
  /** Sessions that are kept back for what all have: each looks again when that is little. */
  readonly waiting: Set<() => void>
}
