/** Says of a recording what holds and what does not. */

import type { Head } from '../format/head.ts'
import { emptyHead, sameHead } from '../format/head.ts'
import type { RecordingHeader } from '../format/header.ts'
import { isSaltsName, segmentNumber } from '../format/place.ts'
import { scanRecording } from './scan.ts'
import type { ScanOutcome } from './scan.ts'
import { namesIn } from './names-in.ts'
import { readTombstone, tombstoneDigest } from './tombstone.ts'
import type { Tombstone } from './tombstone.ts'

export type RecordingProblem =
  /** It ends before the anchored head. */
  | 'truncated'
  /** A record was changed, moved, taken out, or comes from elsewhere. */
  | 'tampered'
  /** It hangs together, and is not what was anchored. */
  | 'rewritten'
  | 'missing'
  | 'unreadable'

export type RecordingVerdict =
  | {
      readonly ok: true
      /**
       * `ended`: to the end of the session. `unfinished`: no end is in it: it is being written, or its gateway died.
       * `torn`: the same, and the last record was not written whole, as a crash leaves it. `empty`: nothing was
       * recorded. `deleted`: see the tombstone.
       */
      readonly state: 'ended' | 'unfinished' | 'torn' | 'empty' | 'deleted'
      readonly detail: string
      /** Where it stands; of a deleted one, where it stood. */
      readonly head: Head
      readonly header?: RecordingHeader
      /** How many of the events the anchored head proves. Those after it only hang together. Absent: none was given. */
      readonly anchoredEvents?: number
      readonly salts: 'none' | 'kept' | 'erased' | 'missing'
      readonly tombstone?: Tombstone
    }
  | {
      readonly ok: false
      readonly reason: RecordingProblem
      readonly detail: string
      /** Up to where it holds, as far as the recording itself can tell. */
      readonly head: Head
    }

export type VerifyRecordingOptions = {
  /** The latest head that the audit log has. Without one, a recording that was cut or written anew as a whole verifies. */
  readonly head?: Head
  /** The digest of its tombstone that the audit log has. Without one, a tombstone is believed that fits the head. */
  readonly deletion?: string
}

/** Reads a whole recording. Never rejects. */
export async function verifyRecording(
  folder: string,
  { head, deletion }: VerifyRecordingOptions = {},
): Promise<RecordingVerdict> {
  let outcome: ScanOutcome | undefined
  for await (const item of scanRecording(folder, { head })) if (item.item === 'over') ({ outcome } = item)
  if (outcome === undefined) throw new Error('a scan ends with its outcome')
  return verdictOf(folder, outcome, { head, deletion })
}

/** Of a recording that has been read to its end. Never rejects. */
export async function verdictOf(
  folder: string,
  outcome: ScanOutcome,
  { head, deletion }: { readonly head: Head | undefined; readonly deletion?: string | undefined },
): Promise<RecordingVerdict> {
  try {
    const all = await readTombstone(folder, 'all')
    return all === undefined
      ? judgeRecording(outcome, head, await saltsOf(folder, outcome))
      : judgeDeleted(all, { head, deletion }, await leftIn(folder))
  } catch (error) {
    return problem('unreadable', error instanceof Error ? error.message : '', outcome.head)
  }
}

/** Also what a reader says at the end of what it read. */
export function judgeRecording(
  outcome: ScanOutcome,
  head: Head | undefined,
  salts: { readonly state: 'none' | 'kept' | 'erased' | 'missing'; readonly tombstone?: Tombstone },
): RecordingVerdict {
  const { stop, asked } = outcome
  const wrong = faultOf(outcome, head)
  if (wrong !== undefined) return wrong
  const isEmpty = stop.why === 'missing'
  const state = isEmpty ? 'empty' : outcome.hasEnded ? 'ended' : stop.why === 'torn' ? 'torn' : 'unfinished'
  return {
    ok: true,
    state,
    detail: `${detailOf(outcome, state)}${anchoredDetail(outcome, head)}`,
    head: outcome.head,
    ...(outcome.header !== undefined && { header: outcome.header }),
    ...(asked === 'reached' && head !== undefined && { anchoredEvents: head.events }),
    salts: salts.state,
    ...(salts.tombstone !== undefined && { tombstone: salts.tombstone }),
  }
}

function faultOf(
  { stop, head: found, asked, hasEnded }: ScanOutcome,
  head: Head | undefined,
): RecordingVerdict | undefined {
  if (asked === 'differs') {
    return problem('rewritten', `after ${found.bytes} bytes it is not the recording that was anchored`, found)
  }
  if (stop.why === 'unreadable') return problem('unreadable', stop.detail, found)
  if (stop.why === 'missing' && (found.segment > 0 || head?.bytes !== 0)) return problem('missing', stop.detail, found)
  if (stop.why === 'broken') {
    return problem('tampered', `after ${blocks(found)} (${found.bytes} bytes): ${stop.detail}`, found)
  }
  if (hasEnded && stop.why === 'torn') {
    return problem('tampered', 'something follows the end of the session', found)
  }
  if (asked !== 'not-reached' || head === undefined) return undefined
  // What was cut does not end by itself.
  if (hasEnded || (found.segment > 0 && found.session !== head.session)) {
    return problem('rewritten', 'it is shorter than the recording that was anchored, and another one', found)
  }
  const lost = `${head.events - found.events} of ${head.events} events and ${head.bytes - found.bytes} bytes are missing`
  return problem('truncated', `it was cut: ${lost}, by the anchored head`, found)
}

const problem = (reason: RecordingProblem, detail: string, head: Head): RecordingVerdict => ({
  ok: false,
  reason,
  detail,
  head,
})

const blocks = ({ blocks }: Head): string => (blocks === 1 ? '1 block' : `${blocks} blocks`)
const events = (count: number): string => (count === 1 ? '1 event' : `${count} events`)

function detailOf({ head, stop }: ScanOutcome, state: 'ended' | 'unfinished' | 'torn' | 'empty'): string {
  const holds = `${events(head.events)} in ${blocks(head)}`
  switch (state) {
    case 'ended':
      return `${holds}, to the end of the session`
    case 'unfinished':
      return `${holds}; the session's end is not in it: it is being written, or the gateway died`
    case 'torn': {
      const torn = stop.why === 'torn' ? stop.bytes : 0
      return `${holds}; the last ${torn} bytes are a record that was not written whole, as a crash leaves it`
    }
    case 'empty':
      return 'nothing was recorded'
  }
}

function anchoredDetail({ head: found }: ScanOutcome, head: Head | undefined): string {
  if (head === undefined) return '. Without an anchored head this is the word of the recording alone'
  const beyond = found.events - head.events
  return beyond === 0 ? ', as anchored' : `. Anchored are the first ${head.events}, and ${events(beyond)} follow them`
}

type Salts = { readonly state: 'none' | 'kept' | 'erased' | 'missing'; readonly tombstone?: Tombstone }

async function saltsOf(folder: string, { commitments }: ScanOutcome): Promise<Salts> {
  const tombstone = await readTombstone(folder, 'salts')
  if (tombstone !== undefined) return { state: 'erased', tombstone }
  if (commitments === 0) return { state: 'none' }
  return { state: (await namesIn(folder)).some(isSaltsName) ? 'kept' : 'missing' }
}

/** A deletion is believed where it tells of the recording that was anchored. @param left files that are still there */
export function judgeDeleted(
  tombstone: Tombstone | undefined,
  { head, deletion }: { readonly head: Head | undefined; readonly deletion: string | undefined },
  left: number,
): RecordingVerdict {
  if (tombstone === undefined) return problem('unreadable', 'its tombstone is malformed', head ?? emptyHead(''))
  if (deletion !== undefined && tombstoneDigest(tombstone) !== deletion) {
    return problem('rewritten', 'it was deleted, and the tombstone is not the one that was anchored', tombstone.head)
  }
  const knows = [tombstone.head, tombstone.anchored].some(
    (known) => known !== null && head !== undefined && sameHead(known, head),
  )
  if (head !== undefined && !knows) {
    return problem(
      'rewritten',
      'it was deleted, and the tombstone tells of another recording than the anchored one',
      head,
    )
  }
  const { at, by, reason } = tombstone
  const rest = left === 0 ? '' : `; ${left} of its files are still there: delete it again`
  const trust =
    deletion === undefined ? '. Without its digest from the audit log this is the word of the tombstone alone' : ''
  return {
    ok: true,
    state: 'deleted',
    detail: `deleted on ${at} by ${by}: ${reason}. It had ${events(tombstone.head.events)}; ${tombstone.verdict}${rest}${trust}`,
    head: tombstone.head,
    ...(head !== undefined && { anchoredEvents: head.events }),
    salts: 'erased',
    tombstone,
  }
}

const leftIn = async (folder: string): Promise<number> =>
  (await namesIn(folder)).filter((name) => segmentNumber(name) !== undefined || isSaltsName(name)).length
