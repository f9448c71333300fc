/** Walks over all records of a recording, segment after segment, and sees that each follows from the one before. */

import { join } from 'node:path'
import { firstChain } from '../format/head.ts'
import { segmentName, segmentNumber } from '../format/place.ts'
import { namesIn } from './names-in.ts'
import { openSegment } from './segment.ts'
import type { Found, RawRecord, SegmentReader } from './segment.ts'

export type Step =
  | { readonly step: 'record'; readonly segment: number; readonly record: RawRecord }
  /** Nothing comes after it. Always the last, once. */
  | { readonly step: 'stop'; readonly stop: Stop }

export type Stop =
  | { readonly why: 'end' }
  | { readonly why: 'torn'; readonly bytes: number }
  | { readonly why: 'broken' | 'missing' | 'unreadable'; readonly detail: string }

/** Called where there is nothing more for now: `true` looks again. */
export type Wait = () => Promise<boolean>

/** Where the segments of a recording come from. */
export type Segments = {
  /** `undefined`: it is not there. */
  readonly open: (segment: number) => Promise<SegmentReader | undefined>
  readonly isThereAfter: (segment: number) => Promise<boolean>
}

export const segmentsOf = (folder: string): Segments => ({
  open: (segment) => openSegment(join(folder, segmentName(segment))),
  isThereAfter: async (segment) => (await segmentsIn(folder)).some((number) => number > segment),
})

export async function* walkRecords(segments: Segments, wait?: Wait): AsyncGenerator<Step, undefined> {
  const walk: Walk = { segments, wait, chain: firstChain() }
  for (let segment = 1; ; segment++) {
    const reader = await openWhenThere(walk, segment)
    const stop = 'why' in reader ? reader : yield* walkSegment(walk, segment, reader)
    if (stop === undefined) continue
    yield { step: 'stop', stop }
    return undefined
  }
}

type Walk = { readonly segments: Segments; wait: Wait | undefined; chain: Buffer }

/** Returns why the walk stops here, or `undefined` where it goes on in the next segment. */
async function* walkSegment(
  walk: Walk,
  segment: number,
  reader: SegmentReader,
): AsyncGenerator<Step, Stop | undefined> {
  let isSecondLook = false
  try {
    for (;;) {
      const found = await nextOf(reader, walk.chain)
      if (found.found !== 'record') {
        if (found.found === 'broken' || found.found === 'unreadable') return { why: found.found, detail: found.detail }
        if (await walk.wait?.()) continue
        if (!(await walk.segments.isThereAfter(segment))) return stopAt(found)
        // The writer may have gone on to the next one since this one was looked at. Once it has, this one says so.
        if (isSecondLook) return { why: 'broken', detail: `segment ${segment} was cut short` }
        isSecondLook = true
        continue
      }
      const { record } = found
      isSecondLook = false
      walk.chain = record.chain
      // Nothing is to come after the end, and something may be there that should not.
      if (record.kind === 'end') walk.wait = undefined
      yield { step: 'record', segment, record }
      if (record.kind === 'next') return undefined
    }
  } finally {
    await reader.close()
  }
}

type Unreadable = { readonly found: 'unreadable'; readonly detail: string }

async function nextOf(reader: SegmentReader, chain: Buffer): Promise<Found | Unreadable> {
  try {
    return await reader.next(chain)
  } catch (error) {
    return { found: 'unreadable', detail: messageOf(error) }
  }
}

async function openWhenThere({ segments, wait }: Walk, segment: number): Promise<SegmentReader | Stop> {
  try {
    for (;;) {
      const reader = await segments.open(segment)
      if (reader !== undefined) return reader
      if (!(await wait?.())) return (await segments.isThereAfter(segment)) ? lost(segment) : gone(segment)
    }
  } catch (error) {
    return { why: 'unreadable', detail: messageOf(error) }
  }
}

const lost = (segment: number): Stop => ({ why: 'missing', detail: `segment ${segment} is not there, a later one is` })

/** A crash between two segments leaves the first with word of a second that was never made. */
const gone = (segment: number): Stop =>
  segment === 1 ? { why: 'missing', detail: 'there is no recording' } : { why: 'end' }

const stopAt = (found: Extract<Found, { found: 'end' | 'torn' }>): Stop =>
  found.found === 'end' ? { why: 'end' } : { why: 'torn', bytes: found.bytes }

/** Their numbers, in order. None where there is no such folder. */
export async function segmentsIn(folder: string): Promise<readonly number[]> {
  const numbers = (await namesIn(folder)).map(segmentNumber).filter((number) => number !== undefined)
  return numbers.toSorted((a, b) => a - b)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
