/** All segments of one session, as they are written, with a head after each record. Its calls wait for the disk. */

import { deflateRawSync } from 'node:zlib'
import type { Instant } from '@tidegate/core'
import { emptyHead, firstChain } from '../format/head.ts'
import type { Head } from '../format/head.ts'
import { encodeHeader } from '../format/header.ts'
import type { RecorderLimits } from '../limits.ts'
import type { AppendFile } from './append-file.ts'
import type { Block } from './block-builder.ts'
import type { RecordingPlace } from './disk.ts'
import type { Folders } from './folders.ts'
import { createSegmentFile } from './segment-file.ts'
import type { SegmentFile } from './segment-file.ts'

export type SessionFile = {
  /** Writes a block, into a new segment where the one before has enough. The first makes the file. */
  readonly append: (block: Block) => void
  /** What was appended survives a power failure: it is in its files, or in a journal. */
  readonly secure: () => void
  /** It is in its files. */
  readonly sync: () => void
  /** Those that are secured. */
  readonly files: () => readonly AppendFile[]
  /** After what was appended, synced or not. */
  readonly head: () => Head
  /** @throws Error where the segment that is being written is not what it should be */
  readonly inspect: () => void
  /** Says that the session has ended. Without a block before, nothing is written. */
  readonly end: (at: Instant) => void
  readonly close: () => void
  /** The same of a file that has failed. Never throws. */
  readonly abandon: () => void
}

type SessionFileDeps = RecordingPlace & {
  readonly folders: Folders
  readonly limits: Pick<RecorderLimits, 'segmentBytes' | 'compressFromBytes'>
}

export function createSessionFile({ folders, folder, header, limits }: SessionFileDeps): SessionFile {
  const position = { segment: 0, blocks: 0, events: 0, closedBytes: 0 }
  let file: SegmentFile | undefined

  const head = (): Head => ({
    session: header.session,
    segment: position.segment,
    blocks: position.blocks,
    bytes: position.closedBytes + (file?.bytes() ?? 0),
    events: position.events,
    chain: file?.chain().toString('base64url') ?? emptyHead(header.session).chain,
  })

  /** The one that the next block goes to. */
  const current = (): SegmentFile => {
    if (file !== undefined && file.bytes() < limits.segmentBytes) return file
    const chain = file === undefined ? firstChain() : leave(file)
    const segment = position.segment + 1
    const made = createSegmentFile({ folders, folder, segment, header: encodeHeader({ ...header, segment }), chain })
    position.closedBytes += file?.bytes() ?? 0
    position.segment = segment
    file = made
    return made
  }

  return {
    append({ content, events, salts }) {
      const packed = content.length < limits.compressFromBytes ? content : pack(content)
      const to = current()
      to.putSalts(position.blocks + 1, salts)
      if (packed.length < content.length) to.put('deflated', packed)
      else to.put('stored', content)
      position.blocks += 1
      position.events += events
    },
    secure: () => file?.secure(),
    sync: () => file?.sync(),
    files: () => file?.files() ?? [],
    head,
    inspect() {
      const problem = file?.inspect()
      if (problem !== undefined) throw new Error(problem)
    },
    end(at) {
      const { blocks, events } = position
      file?.put('end', Buffer.from(JSON.stringify({ at, blocks, events })))
    },
    close: () => file?.close(),
    abandon() {
      try {
        file?.close()
      } catch {
        // What else goes wrong with a file that cannot be written is of no interest any more.
      }
    },
  }
}

/** Ends a segment that has enough. Returns the chain for the next one to begin with. */
function leave(full: SegmentFile): Buffer {
  full.put('next', Buffer.alloc(0))
  full.sync()
  full.close()
  return full.chain()
}

/**
 * The lowest level: what is recorded is repetitive enough for it, and the sessions have better use of the processor. A
 * window and tables of the size of the content: for a block of a few kB, to set up the largest costs more than to use it.
 */
function pack(content: Uint8Array): Uint8Array {
  const windowBits = Math.min(15, Math.max(9, Math.ceil(Math.log2(content.length))))
  const chunkSize = Math.max(1_024, content.length >> 1)
  return deflateRawSync(content, { level: 1, windowBits, memLevel: windowBits - 7, chunkSize })
}
