/** What a session has recorded and is not yet written: events, then the block they are encoded into, then full blocks. */

import { createBlockBuilder } from './block-builder.ts'
import type { Block } from './block-builder.ts'
import { roomForEvent } from '../format/event-codec.ts'
import type { SessionEvent } from '../event.ts'
import type { RecorderLimits } from '../limits.ts'
import type { RecordingPolicy } from '../policy.ts'
import type { Watchers } from './watch.ts'

export type Intake = {
  readonly push: (event: SessionEvent) => void
  /** Encodes what waits for others to be encoded with: whoever begins to watch sees only what comes. */
  readonly encode: () => void
  /** Whether there is a full block. */
  readonly isFull: () => boolean
  /** Makes a block of whatever there is. */
  readonly close: () => void
  /** The next full block. It counts as held until it is written. */
  readonly next: () => Block | undefined
  readonly written: (block: Block) => void
  /** Bytes, or rather more. */
  readonly held: () => number
  /** Forgets all of it. */
  readonly clear: () => void
}

type IntakeDeps = {
  readonly policy: RecordingPolicy
  readonly limits: RecorderLimits
  readonly salt: () => Uint8Array
  readonly scratch: Buffer
  /** Of all sessions: what this one holds is counted here as well. */
  readonly all: { bytes: number }
  readonly watchers: Watchers
}

export function createIntake({ all, watchers, ...deps }: IntakeDeps): Intake {
  const { limits } = deps
  let builder = createBlockBuilder(deps)
  let pending: SessionEvent[] = []
  let pendingBytes = 0
  let full: Block[] = []
  let fullBytes = 0
  let held = 0

  const hold = (bytes: number): void => {
    all.bytes += bytes - held
    held = bytes
  }
  const count = (): void => hold(pendingBytes + builder.bytes() + fullBytes)
  const enqueue = (block: Block): void => {
    full.push(block)
    fullBytes += block.content.length
  }
  const encode = (): void => {
    const batch = { events: pending, room: pendingBytes }
    pending = []
    pendingBytes = 0
    const blocks =
      watchers.count === 0
        ? builder.add(batch)
        : builder.add(batch, (event, sequence) => watchers.show({ ...event, sequence }))
    for (const block of blocks) enqueue(block)
  }

  return {
    push(event) {
      const room = roomForEvent(event)
      pending.push(event)
      pendingBytes += room
      if (pending.length < limits.batchEvents && pendingBytes < limits.batchBytes && watchers.count === 0) {
        hold(held + room)
        return
      }
      encode()
      count()
    },
    encode() {
      encode()
      count()
    },
    isFull: () => full.length > 0,
    close() {
      encode()
      const block = builder.close()
      if (block !== undefined) enqueue(block)
      count()
    },
    next: () => full.shift(),
    written({ content }) {
      // It may have been forgotten meanwhile.
      fullBytes -= Math.min(fullBytes, content.length)
      count()
    },
    held: () => held,
    clear() {
      pending = []
      full = []
      pendingBytes = 0
      fullBytes = 0
      builder = createBlockBuilder(deps)
      count()
    },
  }
}
