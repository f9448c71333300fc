/** Reads a whole recording once: its events, and then what holds of it. Everything that reads recordings rests on it. */

import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'
import { malformed } from '../format/bytes.ts'
import { emptyHead, sameHead } from '../format/head.ts'
import type { Head } from '../format/head.ts'
import { decodeHeader } from '../format/header.ts'
import type { RecordingHeader } from '../format/header.ts'
import { isCount, parseObject } from '../format/json.ts'
import { readerLimits } from '../limits.ts'
import type { RecordedEvent } from '../write/watch.ts'
import { createEventReader } from './events.ts'
import type { EventReader, TooLong } from './events.ts'
import { createSaltsReader, noSalts } from './salts.ts'
import type { SaltsReader } from './salts.ts'
import type { RawRecord } from './segment.ts'
import { segmentsOf, walkRecords } from './walk.ts'
import type { Segments, Stop, Wait } from './walk.ts'

export type ScanItem =
  | { readonly item: 'header'; readonly header: RecordingHeader }
  | { readonly item: 'event'; readonly event: RecordedEvent | TooLong }
  /** Always the last, once. */
  | { readonly item: 'over'; readonly outcome: ScanOutcome }

export type ScanOutcome = {
  /** Of what holds: everything before it is as it was recorded, as far as the recording itself can tell. */
  readonly head: Head
  readonly header: RecordingHeader | undefined
  /** The session ended, and this is its whole recording. */
  readonly hasEnded: boolean
  /** Commitments that are in it. */
  readonly commitments: number
  /** Of the head that was asked about. */
  readonly asked: 'none' | 'not-reached' | 'reached' | 'differs'
  readonly stop: Stop
}

export type ScanOptions = {
  /** A head that was anchored: the recording must contain it. */
  readonly head?: Head | undefined
  /** Reads the salts of commitments too. */
  readonly salts?: boolean | undefined
  readonly eventBytes?: number | undefined
  readonly wait?: Wait | undefined
}

type State = {
  header: RecordingHeader | undefined
  head: Head
  hasEnded: boolean
  asked: ScanOutcome['asked']
}

const inflate = promisify(inflateRaw)

/** @param from its folder, or what of it comes from elsewhere, which has no salts */
export async function* scanRecording(from: string | Segments, options: ScanOptions = {}): AsyncGenerator<ScanItem> {
  const salts = options.salts === true && typeof from === 'string' ? createSaltsReader(from) : noSalts
  const reader = createEventReader(options.eventBytes ?? readerLimits.eventBytes)
  const state: State = {
    header: undefined,
    head: emptyHead(options.head?.session ?? ''),
    hasEnded: false,
    asked: options.head === undefined ? 'none' : 'not-reached',
  }
  holdAgainst(state, options.head)
  let stop: Stop = { why: 'end' }
  try {
    const segments = typeof from === 'string' ? segmentsOf(from) : from
    for await (const step of walkRecords(segments, options.wait)) {
      if (step.step === 'stop') ({ stop } = step)
      else yield* takeRecord(state, { ...step, reader, salts })
      if (step.step === 'record') holdAgainst(state, options.head)
      if (state.asked === 'differs') break
    }
  } catch (error) {
    stop = { why: isMalformed(error) ? 'broken' : 'unreadable', detail: error instanceof Error ? error.message : '' }
  } finally {
    await salts.close()
  }
  yield { item: 'over', outcome: { ...state, commitments: reader.commitments(), stop } }
}

type Taking = {
  readonly segment: number
  readonly record: RawRecord
  readonly reader: EventReader
  readonly salts: SaltsReader
}

/** Takes a record into the state, and gives what is in it. Throws what is wrong with it, and then nothing is taken. */
async function* takeRecord(state: State, taking: Taking): AsyncGenerator<ScanItem> {
  const { record, segment } = taking
  if (state.hasEnded) throw malformed('something follows the end of the session')
  if ((record.kind === 'header') !== (segment !== state.head.segment)) {
    throw malformed('a segment does not begin with its header, or has two')
  }
  const at = { segment, bytes: state.head.bytes + record.bytes, chain: record.chain.toString('base64url') }
  if (record.kind === 'header') {
    const header = headerOf(state, taking)
    if (state.header === undefined) yield { item: 'header', header }
    state.header = header
    state.head = { ...state.head, ...at, session: header.session }
  } else if (record.kind === 'stored' || record.kind === 'deflated') {
    const events = await eventsOf(state, taking)
    state.head = { ...state.head, ...at, blocks: state.head.blocks + 1, events: state.head.events + events.length }
    for (const event of events) yield { item: 'event', event }
  } else {
    if (record.kind === 'end') state.hasEnded = endsHere(state, record)
    else if (record.payload.length > 0) throw malformed('word of the next segment says more than that')
    state.head = { ...state.head, ...at }
  }
}

function headerOf(state: State, { record, segment }: Taking): RecordingHeader {
  const header = record.payload.length > readerLimits.headerBytes ? undefined : decodeHeader(record.payload)
  if (header === undefined) throw malformed('the header is not one of this version of the format')
  if (header.segment !== segment) throw malformed(`segment ${segment} says that it is segment ${header.segment}`)
  const { session } = state.header ?? header
  if (header.session !== session) throw malformed('a segment is of another session')
  return header
}

async function eventsOf(
  state: State,
  { record, segment, reader, salts }: Taking,
): Promise<(RecordedEvent | TooLong)[]> {
  const known = await salts.of(segment, state.head.blocks + 1)
  const content = record.kind === 'stored' ? record.payload : await inflated(record.payload)
  return reader.read(content, known)
}

/** Bounded: a small block could otherwise become gigabytes. */
async function inflated(payload: Buffer): Promise<Buffer> {
  try {
    return await inflate(payload, { maxOutputLength: readerLimits.contentBytes })
  } catch {
    throw malformed('a block cannot be decompressed, or has more in it than a block has')
  }
}

function endsHere({ head }: State, { payload }: RawRecord): true {
  const value = parseObject(payload)
  if (!isCount(value?.['blocks']) || !isCount(value['events'])) throw malformed('the end of the session is malformed')
  if (value['blocks'] === head.blocks && value['events'] === head.events) return true
  throw malformed('the end of the session counts other blocks and events than there are')
}

/** After each record: the recording either has the head at exactly that many bytes, or is not the one it is of. */
function holdAgainst(state: State, head: Head | undefined): void {
  if (head === undefined || state.asked !== 'not-reached' || state.head.bytes < head.bytes) return
  state.asked = sameHead(state.head, head) ? 'reached' : 'differs'
}

const isMalformed = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'malformed'
