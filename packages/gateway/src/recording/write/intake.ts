/** What a session has recorded and is not yet written: events, then the block they are encoded into, then full blocks. */

import { createBlockBuilder } from './block-builder.ts'
import type { Block, BlockBuilder } from './block-builder.ts'
import { roomForEvent } from '../format/event-codec.ts'
import type { SessionEvent } from '../event.ts'
import type { RecorderLimits } from '../limits.ts'
import type { RecordingPolicy } from '../policy.ts'
import type { Watchers } from './watch.ts'

export type Intake = {
  /** True: it is the first since the last block was closed. */
  readonly push: (event: SessionEvent) => boolean
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

class SessionIntake implements Intake {
  private readonly deps: IntakeDeps
  private readonly limits: RecorderLimits
  private readonly all: { bytes: number }
  private readonly watchers: Watchers
  private builder: BlockBuilder
  private pending: SessionEvent[] = []
  private pendingBytes = 0
  private full: Block[] = []
  private fullBytes = 0
  private heldBytes = 0
  private isEmpty = true

  constructor(deps: IntakeDeps) {
    this.deps = deps
    this.limits = deps.limits
    this.all = deps.all
    this.watchers = deps.watchers
    this.builder = createBlockBuilder(deps)
  }

  push(event: SessionEvent): boolean {
    const { pending, limits } = this
    const isFirst = this.isEmpty
    const room = roomForEvent(event)
    pending.push(event)
    this.pendingBytes += room
    this.isEmpty = false
    const waits = pending.length < limits.batchEvents && this.pendingBytes < limits.batchBytes
    if (waits && this.watchers.count === 0) this.hold(this.heldBytes + room)
    else this.encode()
    return isFirst
  }

  encode(): void {
    this.encodePending()
    this.count()
  }

  isFull(): boolean {
    return this.full.length > 0
  }

  close(): void {
    this.encodePending()
    const block = this.builder.close()
    if (block !== undefined) this.enqueue(block)
    this.isEmpty = true
    this.count()
  }

  next(): Block | undefined {
    return this.full.shift()
  }

  written({ content }: Block): void {
    // It may have been forgotten meanwhile.
    this.fullBytes -= Math.min(this.fullBytes, content.length)
    this.count()
  }

  held(): number {
    return this.heldBytes
  }

  clear(): void {
    this.pending = []
    this.full = []
    this.pendingBytes = 0
    this.fullBytes = 0
    this.builder = createBlockBuilder(this.deps)
    this.count()
  }

  private hold(bytes: number): void {
    this.all.bytes += bytes - this.heldBytes
    this.heldBytes = bytes
  }

  private count(): void {
    this.hold(this.pendingBytes + this.builder.bytes() + this.fullBytes)
  }

  private enqueue(block: Block): void {
    this.full.push(block)
    this.fullBytes += block.content.length
  }

  private encodePending(): void {
    const { watchers } = this
    const batch = { events: this.pending, room: this.pendingBytes }
    this.pending = []
    this.pendingBytes = 0
    const blocks =
      watchers.count === 0
        ? this.builder.add(batch)
        : this.builder.add(batch, (event, sequence) => watchers.show({ ...event, sequence }))
    for (const block of blocks) this.enqueue(block)
  }
}

export const createIntake = (deps: IntakeDeps): Intake => new SessionIntake(deps)
