/** All segments of one session, as they are written, with a head after each record. */

import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import type { Instant } from '@tidegate/core'
import { emptyHead, firstChain } from '../format/head.ts'
import type { Head } from '../format/head.ts'
import { encodeHeader } from '../format/header.ts'
import type { RecordingHeader } from '../format/header.ts'
import type { RecorderLimits } from '../limits.ts'
import type { Block } from './block-builder.ts'
import type { RecordingFiles } from './files.ts'
import { createSegmentFile } from './segment-file.ts'
import type { SegmentFile } from './segment-file.ts'

const compress = promisify(deflateRaw)

export type SessionFile = {
  /** Writes a block, into a new segment where the one before has enough. The first makes the file. */
  readonly append: (block: Block) => Promise<void>
  readonly sync: () => Promise<void>
  /** After what was appended, synced or not. */
  readonly head: () => Head
  /** A sentence, where the segment that is being written is not what it should be. */
  readonly inspect: () => Promise<string | undefined>
  /** Says that the session has ended, and syncs. Without a block before, nothing is written. */
  readonly finish: (at: Instant) => Promise<void>
  readonly close: () => Promise<void>
  /** The same of a file that has failed. Never rejects. */
  readonly abandon: () => Promise<void>
}

type SessionFileDeps = {
  readonly folder: string
  readonly header: Omit<RecordingHeader, 'segment'>
  readonly files: RecordingFiles
  readonly limits: RecorderLimits
}

export function createSessionFile({ folder, header, files, limits }: SessionFileDeps): SessionFile {
  const position = { segment: 0, blocks: 0, events: 0, closedBytes: 0 }
  let file: SegmentFile | undefined
  let isClosed = false

  const head = (): Head => ({
    session: header.session,
    segment: position.segment,
    blocks: position.blocks,
    bytes: position.closedBytes + (file?.bytes() ?? 0),
    events: position.events,
    chain: file?.chain().toString('base64url') ?? emptyHead(header.session).chain,
  })

  /** The one that the next block goes to. */
  const current = async (): Promise<SegmentFile> => {
    if (isClosed) throw new Error('it has been closed')
    if (file !== undefined && file.bytes() < limits.segmentBytes) return file
    const chain = file === undefined ? firstChain() : await leave(file)
    const segment = position.segment + 1
    const made = await createSegmentFile({
      folder,
      segment,
      header: encodeHeader({ ...header, segment }),
      chain,
      files,
    })
    position.closedBytes += file?.bytes() ?? 0
    position.segment = segment
    file = made
    return made
  }

  const close = async (): Promise<void> => {
    isClosed = true
    await file?.close()
  }

  return {
    async append({ content, events, salts }) {
      const packed = content.length < limits.compressFromBytes ? content : await pack(content)
      const to = await current()
      await to.putSalts(position.blocks + 1, salts)
      if (packed.length < content.length) await to.put('deflated', packed)
      else await to.put('stored', content)
      position.blocks += 1
      position.events += events
    },
    sync: async () => file?.sync(),
    head,
    inspect: async () => file?.inspect(),
    async finish(at) {
      const { blocks, events } = position
      await file?.put('end', Buffer.from(JSON.stringify({ at, blocks, events })))
      await file?.sync()
    },
    close,
    async abandon() {
      try {
        await close()
      } catch {
        // What else goes wrong with a file that cannot be written is of no interest any more.
      }
    },
  }
}

/** Ends a segment that has enough. Returns the chain for the next one to begin with. */
async function leave(full: SegmentFile): Promise<Buffer> {
  await full.put('next', Buffer.alloc(0))
  await full.sync()
  await full.close()
  return full.chain()
}

/**
 * The lowest level: what is recorded is repetitive enough for it, and the sessions have better use of the processor. A
 * window and tables of the size of the content: for a block of a few kB, to set up the largest costs more than to use it.
 */
function pack(content: Buffer): Promise<Buffer> {
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(content.length))))
  const chunkSize = Math.max(1_024, content.length >> 1)
  return compress(content, { level: 1, windowBits, memLevel: windowBits - 7, chunkSize })
}
