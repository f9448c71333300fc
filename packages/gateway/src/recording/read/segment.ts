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
  let zeroes: Zeroes | undefined
  const take = async (chain: Buffer): Promise<Found | Zeroes> => {
    const wrong = isSegment ? undefined : await readMagic(view)
    if (wrong !== undefined) return wrong
    isSegment = true
    return readRecord(view, position === 0 ? segmentMagic.length : position, chain)
  }
  return {
    async next(chain) {
      const found = zeroes ?? (await take(chain))
      if (found.found === 'zeroes') return lookOn(view, (zeroes = found))
      if (found.found !== 'record') return found
      const bytes = found.record.bytes + (position === 0 ? segmentMagic.length : 0)
      position += bytes
      return { found: 'record', record: { ...found.record, bytes } }
    },
    close,
  }
}

/** Up to so many bytes from there; fewer where the file ends. Positions never go back. */
export type View = (position: number, bytes: number) => Promise<Buffer>

/**
 * From here on there may be nothing but zeroes: a power failure can leave a file as long as what was written to it, and
 * zeroes for the last of that, from anywhere in a record on. They are as good as cut off, and who can write them could do that.
 */
type Zeroes = {
  readonly found: 'zeroes'
  readonly record: number
  at: number
  /** What is wrong where something else is there. */
  readonly detail: string
}

async function lookOn(view: View, zeroes: Zeroes): Promise<Found> {
  for (;;) {
    const part = await view(zeroes.at, readerLimits.readBytes)
    if (part.length === 0) return { found: 'torn', bytes: zeroes.at - zeroes.record }
    if (part.some((byte) => byte !== 0)) return { found: 'broken', detail: zeroes.detail }
    zeroes.at += part.length
  }
}

const zeroesOr = (detail: string, record: number, at: number): Zeroes => ({ found: 'zeroes', record, at, detail })

/** What a segment begins with. `undefined`: it is there. */
async function readMagic(view: View): Promise<Found | Zeroes | undefined> {
  const magic = await view(0, segmentMagic.length)
  if (magic.length === 0) return { found: 'end' }
  const differs = segmentMagic.findIndex((byte, i) => byte !== magic[i])
  if (differs === -1) return undefined
  if (differs === magic.length) return { found: 'torn', bytes: magic.length }
  return zeroesOr('the file is not a segment', 0, differs)
}

async function readRecord(view: View, position: number, chain: Buffer): Promise<Found | Zeroes> {
  const frame = await view(position, frameBytes)
  if (frame.length === 0) return { found: 'end' }
  if (frame.length < frameBytes) return { found: 'torn', bytes: frame.length }
  const length = frame.readUInt32BE(0)
  const kind = recordKindOf(frame[4] ?? 0)
  if (kind === undefined) return zeroesOr('a record is of no known kind', position, position + frameBytes - 1)
  if (length > readerLimits.recordBytes) {
    return { found: 'broken', detail: `a record says that it has ${length} bytes, which none has` }
  }
  const whole = await view(position, recordBytes(length))
  if (whole.length < recordBytes(length)) return { found: 'torn', bytes: whole.length }
  const payload = whole.subarray(frameBytes, frameBytes + length)
  const next = nextChain(chain, frame, payload)
  if (next.equals(whole.subarray(frameBytes + length))) {
    return { found: 'record', record: { kind, payload, bytes: whole.length, chain: next } }
  }
  return zeroesOr('a record does not follow from what is before it', position, position + whole.length - 1)
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
