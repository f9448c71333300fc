/**
 * A recording that comes from its gateway piece by piece, read as it comes: every record is held against the chain here,
 * so nobody in between has to be trusted with it. Memory has what came and is not read yet, and no more.
 */

import type { Head } from '../format/head.ts'
import { sameHead } from '../format/head.ts'
import type { RecordingHeader } from '../format/header.ts'
import type { RecordedEvent } from '../write/watch.ts'
import type { TooLong } from './events.ts'
import { scanRecording } from './scan.ts'
import { createSegmentReader } from './segment.ts'
import type { View } from './segment.ts'
import { judgeDeleted, judgeRecording } from './verify.ts'
import type { RecordingVerdict } from './verify.ts'
import { parseTombstone } from './tombstone.ts'
import type { Segments } from './walk.ts'

/** What comes next of it; `undefined`: there is no more. What it rejects with is thrown: it says nothing of the recording. */
export type NextPiece = () => Promise<ArrivingPiece | undefined>

export type ArrivingPiece =
  | { readonly what: 'bytes'; readonly segment: number; readonly bytes: Buffer }
  /** It was deleted, and this is what is left: the text of the tombstone. */
  | { readonly what: 'tombstone'; readonly text: string }

export type ArrivingItem =
  | { readonly item: 'header'; readonly header: RecordingHeader }
  | { readonly item: 'event'; readonly event: RecordedEvent | TooLong }
  /** Always the last, once. */
  | { readonly item: 'verdict'; readonly verdict: RecordingVerdict }

type ArrivingOptions = {
  /** The latest head that the audit log had when it began to come. */
  readonly head?: Head | undefined
  /** The digest of its tombstone that the audit log has. */
  readonly deletion?: string | undefined
  /** The latest head that the audit log has once it is over: what came since is held against that. */
  readonly latest?: () => Promise<Head | undefined>
}

export async function* readArriving(next: NextPiece, options: ArrivingOptions = {}): AsyncGenerator<ArrivingItem> {
  const { head, deletion, latest } = options
  const { segments, put } = createArriving()
  let tombstone: string | undefined
  let failure: { readonly cause: unknown } | undefined
  const wait = async (): Promise<boolean> => {
    const piece = await next().catch((cause: unknown) => void (failure = { cause }))
    if (piece?.what === 'tombstone') tombstone = piece.text
    if (piece?.what !== 'bytes') return false
    put(piece.segment, piece.bytes)
    return true
  }
  for await (const item of scanRecording(segments, { head, wait })) {
    if (item.item !== 'over') {
      yield item
      continue
    }
    if (failure !== undefined) throw failure.cause
    const verdict =
      tombstone === undefined
        ? judgeRecording(item.outcome, head, { state: 'none' })
        : judgeDeleted(parseTombstone(tombstone, 'all'), { head, deletion }, 0)
    yield { item: 'verdict', verdict: tombstone === undefined ? anchoredAt(verdict, await latest?.()) : verdict }
  }
}

/** Where it stands now is what was anchored last: then all of it is proved, also what came after it was asked for. */
function anchoredAt(verdict: RecordingVerdict, latest: Head | undefined): RecordingVerdict {
  if (!verdict.ok || latest === undefined || verdict.anchoredEvents === latest.events) return verdict
  if (!sameHead(verdict.head, latest)) return verdict
  const { events } = latest
  return { ...verdict, anchoredEvents: events, detail: `${events} events, all of them as anchored` }
}

/** Pieces put together to segments. Those of one come in order, and so do the segments. */
function createArriving(): { readonly segments: Segments; readonly put: (segment: number, bytes: Buffer) => void } {
  const bySegment = new Map<number, Part>()
  let last = 0
  return {
    put(segment, bytes) {
      const part = bySegment.get(segment) ?? { start: 0, bytes: Buffer.alloc(0) }
      bySegment.set(segment, { ...part, bytes: Buffer.concat([part.bytes, bytes]) })
      last = Math.max(last, segment)
    },
    segments: {
      async open(segment) {
        if (!bySegment.has(segment)) return undefined
        return createSegmentReader(viewOf(bySegment, segment), async () => void bySegment.delete(segment))
      },
      isThereAfter: async (segment) => last > segment,
    },
  }
}

/** What of a segment came and is not read over yet, and where in it that begins. */
type Part = { readonly start: number; readonly bytes: Buffer }

const viewOf =
  (bySegment: Map<number, Part>, segment: number): View =>
  async (position, bytes) => {
    const part = bySegment.get(segment) ?? { start: position, bytes: Buffer.alloc(0) }
    const rest = part.bytes.subarray(position - part.start)
    bySegment.set(segment, { start: position, bytes: rest })
    return rest.subarray(0, bytes)
  }
