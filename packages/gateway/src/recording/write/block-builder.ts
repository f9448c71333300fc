/** Makes blocks of events: encodes them in batches, numbers them, and hides what the policy hides. */

import { putNumber, roomForCommitment, roomForNumber } from '../format/bytes.ts'
import type { Sink } from '../format/bytes.ts'
import { putEvent, roomForEvent } from '../format/event-codec.ts'
import type { BlockWords } from '../format/event-codec.ts'
import type { SessionEvent } from '../event.ts'
import type { RecorderLimits } from '../limits.ts'
import { hideUnder, seal } from '../policy.ts'
import type { RecordingPolicy, SealedEvent } from '../policy.ts'

export type Block = {
  /** What is compressed: the number and time of the first event, and the events. */
  readonly content: Uint8Array
  /** How many events end in it. */
  readonly events: number
  /** Of the commitments that begin in it, one after the other in their order. */
  readonly salts: Uint8Array
}

export type BlockBuilder = {
  /** Blocks that became full by this. Usually none. */
  readonly add: (batch: Batch, seen?: (event: SealedEvent, sequence: number) => void) => Block[]
  /** The block that is being filled; `undefined`: it has nothing. The next event begins another. */
  readonly close: () => Block | undefined
  /** Bytes that are held in the block that is being filled. */
  readonly bytes: () => number
}

/** Events, and the most bytes that they take together as they are. */
export type Batch = { readonly events: readonly SessionEvent[]; readonly room: number }

type BuilderDeps = {
  readonly policy: RecordingPolicy
  readonly limits: RecorderLimits
  /** A fresh one each time. */
  readonly salt: () => Uint8Array
  /** Shared by everyone who encodes in this process: nothing stays in it. */
  readonly scratch: Buffer
}

type Open = {
  readonly words: BlockWords
  readonly parts: Buffer[]
  readonly salts: Uint8Array[]
  bytes: number
  events: number
}

export function createBlockBuilder({ policy, limits, salt, scratch }: BuilderDeps): BlockBuilder {
  let sequence = 1
  let open: Open | undefined

  const hide = (value: Parameters<typeof hideUnder>[0]): ReturnType<typeof hideUnder> => {
    const fresh = salt()
    open?.salts.push(fresh)
    return hideUnder(value, fresh)
  }

  /** Puts what the sink has into the block, in a buffer of the block's own. */
  const keep = (block: Open, sink: Sink): void => {
    if (sink.offset === 0) return
    const bytes = sink.buffer.subarray(0, sink.offset)
    block.parts.push(sink.buffer === scratch ? Buffer.from(bytes) : bytes)
    block.bytes += sink.offset
    sink.offset = 0
  }

  const close = (): Block | undefined => {
    if (open === undefined) return undefined
    const { parts, events, salts } = open
    open = undefined
    const content = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
    return { content, events, salts: salts.length === 0 ? none : Buffer.concat(salts) }
  }

  const begin = (sink: Sink, at: number): Open => {
    putNumber(sink, sequence)
    putNumber(sink, at)
    return {
      words: { at: Math.max(0, Math.trunc(at)), texts: new Map(), written: 0 },
      parts: [],
      salts: [],
      bytes: 0,
      events: 0,
    }
  }

  const add: BlockBuilder['add'] = ({ events, room: all }, seen) => {
    const fits = !hides(policy) && all <= limits.batchBytes && all <= limits.blockBytes
    const sink: Sink = { buffer: scratch, offset: 0 }
    const full: Block[] = []
    const finish = (): void => {
      if (open !== undefined) keep(open, sink)
      const block = close()
      if (block !== undefined) full.push(...cutBlock(block, limits.blockBytes))
    }
    for (const event of events) {
      // Where all have room together, none is asked what it takes.
      const unsealed = fits ? 0 : roomForEvent(event)
      const isLong = !fits && unsealed + roomToHide(event, policy) > limits.blockBytes
      if (isLong) finish()
      open ??= begin(sink, event.at)
      const sealed = seal(event, policy, hide)
      const room = sealed === event ? unsealed : roomForEvent(sealed)
      if (room > sink.buffer.length - sink.offset) keep(open, sink)
      const own = room > sink.buffer.length ? { buffer: Buffer.allocUnsafeSlow(room), offset: 0 } : sink
      putEvent(own, sealed, open.words)
      if (own !== sink) keep(open, own)
      open.events += 1
      seen?.(sealed, sequence)
      sequence += 1
      if (isLong || open.bytes + sink.offset >= limits.blockBytes) finish()
    }
    if (open !== undefined) keep(open, sink)
    return full
  }

  return { add, close, bytes: () => open?.bytes ?? 0 }
}

const hides = ({ text, parameters, rows }: RecordingPolicy): boolean =>
  text === 'commit' || parameters === 'commit' || rows === 'commit'

/** What commitments may take more than what they stand for, which may be as little as a byte. */
function roomToHide(event: SessionEvent, { text, parameters, rows }: RecordingPolicy): number {
  if (event.type === 'statement') {
    return (text === 'commit' ? roomForCommitment : 0) + roomForEach(parameters === 'commit' ? event.parameters : [])
  }
  if (event.type !== 'rows') return roomForCommitment
  return rows === 'commit' ? event.rows.reduce((sum, row) => sum + roomForEach(row), 0) : 0
}

const roomForEach = (values: readonly unknown[] = []): number => values.length * roomForCommitment

/** What the scratch buffer has room for besides events: the number and time of the first. */
export const scratchBytes = (limits: RecorderLimits): number => limits.batchBytes + 2 * roomForNumber

const none = new Uint8Array()

/** A long event has a block of its own, which is cut where it is too long: the event ends in the last of them. */
function cutBlock(block: Block, most: number): Block[] {
  const { content, events, salts } = block
  const cuts = Math.ceil(content.length / (2 * most))
  return Array.from({ length: cuts }, (_, i) => ({
    content: content.subarray(i * 2 * most, (i + 1) * 2 * most),
    events: i === cuts - 1 ? events : 0,
    salts: i === 0 ? salts : none,
  }))
}
