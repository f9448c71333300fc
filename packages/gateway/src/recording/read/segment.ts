/** Reads the records of one segment file, which may be hostile, torn, or still being written. */

import { constants, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { frameBytes, recordBytes, recordKindOf, segmentMagic } from '../format/frame.ts'
import type { RecordKind } from '../format/frame.ts'
import { nextChain } from '../format/head.ts'
import { readerLimits } from '../limits.ts'

export type RawRecord = {
  readonly kind: RecordKind
  readonly payload: Buffer
  /** In the file, with frame and chain, and with what the file begins with where it is the first. */
  readonly bytes: number
  readonly chain: Buffer
}

export type Found =
  | { readonly found: 'record'; readonly record: RawRecord }
  /** The file ends here, between two records. */
  | { readonly found: 'end' }
  /** It ends within a record: the last one was not written whole. */
  | { readonly found: 'torn'; readonly bytes: number }
  /** What is there was not written there by a recorder. */
  | { readonly found: 'broken'; readonly detail: string }

export type SegmentReader = {
  /** The record after the last one, which `chain` belongs to. After `end` or `torn` it can be asked again. */
  readonly next: (chain: Buffer) => Promise<Found>
  readonly close: () => Promise<void>
}

/** `undefined`: there is no such file. Rejects for what is there and cannot be read. */
export async function openSegment(path: string): Promise<SegmentReader | undefined> {
  const handle = await openFile(path)
  return handle && createSegmentReader(createView(handle), () => handle.close())
}

export function createSegmentReader(view: View, close: () => Promise<void>): SegmentReader {
  let position = 0
  let isSegment = false
  return {
    async next(chain) {
      if (!isSegment) {
        const magic = await view(0, segmentMagic.length)
        if (!segmentMagic.subarray(0, magic.length).equals(magic)) return broken('the file is not a segment')
        if (magic.length === 0) return { found: 'end' }
        if (magic.length < segmentMagic.length) return { found: 'torn', bytes: magic.length }
        isSegment = true
      }
      const start = position === 0 ? segmentMagic.length : position
      const found = await readRecord(view, start, chain)
      if (found.found !== 'record') return found
      const bytes = start + found.record.bytes - position
      position += bytes
      return { found: 'record', record: { ...found.record, bytes } }
    },
    close,
  }
}

const broken = (detail: string): Found => ({ found: 'broken', detail })

/** Up to so many bytes from there; fewer where the file ends. Positions never go back. */
export type View = (position: number, bytes: number) => Promise<Buffer>

async function readRecord(view: View, position: number, chain: Buffer): Promise<Found> {
  const frame = await view(position, frameBytes)
  if (frame.length === 0) return { found: 'end' }
  if (frame.length < frameBytes) return { found: 'torn', bytes: frame.length }
  const length = frame.readUInt32BE(0)
  const kind = recordKindOf(frame[4] ?? 0)
  if (kind === undefined) return zeroes(view, position)
  if (length > readerLimits.recordBytes) return broken(`a record says that it has ${length} bytes, which none has`)
  const whole = await view(position, recordBytes(length))
  if (whole.length < recordBytes(length)) return { found: 'torn', bytes: whole.length }
  const payload = whole.subarray(frameBytes, frameBytes + length)
  const next = nextChain(chain, frame, payload)
  if (!next.equals(whole.subarray(frameBytes + length)))
    return broken('a record does not follow from what is before it')
  return { found: 'record', record: { kind, payload, bytes: whole.length, chain: next } }
}

/** A power failure can leave a file longer than what was written to it, and zeroes in between. */
async function zeroes(view: View, position: number): Promise<Found> {
  let bytes = 0
  for (;;) {
    const part = await view(position + bytes, readerLimits.readBytes)
    if (part.length === 0) return { found: 'torn', bytes }
    if (part.some((byte) => byte !== 0)) return broken('a record is of no known kind')
    bytes += part.length
  }
}

/** Without following a link and without waiting for the writer of a pipe. */
async function openFile(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  if ((await handle.stat()).isFile()) return handle
  await handle.close()
  throw new Error(`${path} is not a file`)
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

/** Reads ahead, so that small records do not cost a read each. */
function createView(handle: FileHandle): View {
  let window: Buffer = Buffer.alloc(0)
  let start = 0
  return async (position, bytes) => {
    const has = start + window.length
    if (position < start || position + bytes > has) {
      window = await readAt(handle, position, Math.max(bytes, readerLimits.readBytes))
      start = position
    }
    return window.subarray(position - start, position - start + bytes)
  }
}

async function readAt(handle: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(bytes)
  let length = 0
  while (length < bytes) {
    const { bytesRead } = await handle.read(buffer, length, bytes - length, position + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return buffer.subarray(0, length)
}
