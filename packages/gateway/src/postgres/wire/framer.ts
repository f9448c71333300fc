/**
 * Finds the messages in a stream of bytes without copying them. Pieces are pulled one at a time, so that whoever pulls
 * can stop at a message and go on with it later. What a piece is stands in the framer itself until the next pull:
 * nothing is allocated for a message that lies within one chunk.
 */

import type { MessageRule, MessageTable } from '../limits.ts'

/**
 * `message`: a whole one. `part`: a stretch of one that is longer than what has come; `opens` says whether it is the
 * first. `none`: more bytes are needed. `violation`: these are no messages of the protocol, and never will be again.
 */
type Piece = 'message' | 'part' | 'none' | 'violation'

export type Framer = {
  readonly push: (chunk: Buffer) => void
  readonly next: () => Piece
  /** What was pushed and not pulled. */
  readonly ahead: () => Buffer
  readonly aheadBytes: () => number
  /** Some of that lies where it was pushed, and not in memory of the framer's own. */
  readonly borrows: () => boolean
  /** The type byte of the piece's message. */
  type: number
  /** From the type byte on. */
  buffer: Buffer
  start: number
  end: number
  /** Of the whole message on the wire, the type byte counted. */
  length: number
  opens: boolean
  /** A message is passed on in part: nothing of ours may be said before the rest of it. */
  readonly isInside: () => boolean
  violation: string
  /** Lets go of what is unfinished. */
  readonly close: () => void
}

/** Of what unfinished messages hold, over all sessions. */
export type Budget = { readonly take: (bytes: number) => boolean; readonly give: (bytes: number) => void }

export function createBudget(sizeBytes: number): Budget {
  let left = sizeBytes
  return {
    take(bytes) {
      if (bytes > left) return false
      left -= bytes
      return true
    },
    give(bytes) {
      left += bytes
    },
  }
}

/** A table of rules as an array by type byte. */
export type Rules = readonly (MessageRule | undefined)[]

export const rulesOf = (table: MessageTable): Rules =>
  Array.from({ length: 256 }, (_, byte) => table[String.fromCharCode(byte)])

const headerBytes = 5
const nothing: Buffer = Buffer.alloc(0)
/** Room for the first bytes of a message: what its length field announces is only believed as it arrives. */
const firstGatherBytes = 4096

class Inner implements Framer {
  readonly rules: Rules
  readonly budget: Budget
  chunk = nothing
  /** The chunk is as it was pushed. */
  pushed = false
  /** Where in the chunk the next piece begins. */
  at = 0
  /** What is still to come of a message that is streamed. */
  left = 0
  type = 0
  buffer = nothing
  start = 0
  end = 0
  length = 0
  opens = false
  /** A message that is withheld until it is there. */
  gathering = false
  gathered = nothing
  gatheredBytes = 0
  violation = ''

  constructor(rules: Rules, budget: Budget) {
    this.rules = rules
    this.budget = budget
  }

  push(bytes: Buffer): void {
    this.pushed = this.at === this.chunk.length
    this.chunk = this.pushed ? bytes : Buffer.concat([this.chunk.subarray(this.at), bytes])
    this.at = 0
  }

  next(): Piece {
    if (this.left > 0) return stream(this, false)
    return this.gathering ? gather(this) : begin(this)
  }

  ahead(): Buffer {
    return this.chunk.subarray(this.at)
  }

  aheadBytes(): number {
    return this.chunk.length - this.at
  }

  borrows(): boolean {
    return this.pushed && this.at < this.chunk.length
  }

  isInside(): boolean {
    return this.left > 0
  }

  close(): void {
    letGo(this)
    this.chunk = nothing
    this.at = 0
    this.buffer = nothing
  }
}

export const createFramer = (rules: Rules, budget: Budget): Framer => new Inner(rules, budget)

function begin(inner: Inner): Piece {
  const { chunk, at, rules } = inner
  if (chunk.length - at < headerBytes) return runDry(inner)
  const type = chunk[at] ?? 0
  const rule = rules[type]
  if (rule === undefined) return fail(inner, `an unknown message of type ${nameOf(type)}`)
  const length = chunk.readInt32BE(at + 1)
  if (length < 4 || length > rule.longest) return fail(inner, `a ${rule.name} of ${length} bytes`)
  inner.type = type
  inner.length = length + 1
  if (chunk.length - at > length) {
    emit(inner, chunk, at + length + 1)
    return 'message'
  }
  if (rule.way === 'gather') {
    inner.gathering = true
    return gather(inner)
  }
  inner.left = length + 1
  return stream(inner, true)
}

/** The piece of the chunk from where we are. */
function emit(inner: Inner, chunk: Buffer, end: number): void {
  inner.buffer = chunk
  inner.start = inner.at
  inner.end = end
  inner.at = end
}

function stream(inner: Inner, opens: boolean): Piece {
  const { chunk, at, left } = inner
  const end = Math.min(chunk.length, at + left)
  if (end === at) return runDry(inner)
  inner.opens = opens
  inner.left = left - (end - at)
  emit(inner, chunk, end)
  return 'part'
}

function gather(inner: Inner): Piece {
  const { chunk, at, length, gatheredBytes } = inner
  const end = Math.min(chunk.length, at + length - gatheredBytes)
  if (!makeRoom(inner, gatheredBytes + end - at)) return fail(inner, 'too many unfinished messages are under way')
  chunk.copy(inner.gathered, gatheredBytes, at, end)
  inner.gatheredBytes += end - at
  inner.at = end
  if (inner.gatheredBytes < length) return runDry(inner)
  inner.buffer = inner.gathered
  inner.start = 0
  inner.end = length
  letGo(inner)
  return 'message'
}

function makeRoom(inner: Inner, bytes: number): boolean {
  const { gathered, gatheredBytes, length } = inner
  if (bytes <= gathered.length) return true
  const size = Math.min(length, Math.max(firstGatherBytes, bytes * 2))
  if (!inner.budget.take(size - gathered.length)) return false
  inner.gathered = Buffer.allocUnsafeSlow(size)
  gathered.copy(inner.gathered, 0, 0, gatheredBytes)
  return true
}

function letGo(inner: Inner): void {
  inner.budget.give(inner.gathered.length)
  inner.gathered = nothing
  inner.gatheredBytes = 0
  inner.gathering = false
}

/** Lets go of the chunk, so that an idle session holds no bytes; keeps a header that has begun. */
function runDry(inner: Inner): Piece {
  const { chunk, at } = inner
  inner.chunk = at < chunk.length ? Buffer.from(chunk.subarray(at)) : nothing
  inner.pushed = false
  inner.at = 0
  inner.buffer = nothing
  return 'none'
}

function fail(inner: Inner, reason: string): Piece {
  inner.violation = reason
  inner.chunk = nothing
  inner.at = 0
  return 'violation'
}

const nameOf = (type: number): string =>
  type > 0x20 && type < 0x7f ? `'${String.fromCharCode(type)}'` : `0x${type.toString(16).padStart(2, '0')}`
