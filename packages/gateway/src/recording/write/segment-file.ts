/** One segment, as it is written: records in a chain, and the salts of its commitments beside them. */

import { join } from 'node:path'
import { frameRecord, saltsMagic, segmentMagic } from '../format/frame.ts'
import type { RecordKind } from '../format/frame.ts'
import { saltsName, segmentName } from '../format/place.ts'
import type { AppendFile, RecordingFiles } from './files.ts'

export type SegmentFile = {
  readonly put: (kind: RecordKind, payload: Buffer) => Promise<void>
  /** Before the block that they belong to, so that no commitment is there without its salt. */
  readonly putSalts: (block: number, salts: readonly Uint8Array[]) => Promise<void>
  readonly sync: () => Promise<void>
  readonly close: () => Promise<void>
  readonly bytes: () => number
  /** After the last record. */
  readonly chain: () => Buffer
  /** A sentence, where the file is not what was written. */
  readonly inspect: () => Promise<string | undefined>
}

type SegmentFileDeps = {
  readonly folder: string
  readonly segment: number
  readonly header: Buffer
  /** Of the segment before. */
  readonly chain: Buffer
  readonly files: RecordingFiles
}

export async function createSegmentFile(deps: SegmentFileDeps): Promise<SegmentFile> {
  const { folder, segment, files } = deps
  const first = frameRecord('header', deps.header, deps.chain)
  const file = await files.create(join(folder, segmentName(segment)))
  let salts: AppendFile | undefined
  let { chain } = first
  let bytes = 0

  const append = async (all: Buffer): Promise<void> => {
    await file.append(all)
    bytes += all.length
  }
  try {
    await append(Buffer.concat([segmentMagic, first.bytes]))
  } catch (error) {
    // Nobody else knows of it yet.
    await file.close().catch(() => undefined)
    throw error
  }

  return {
    async put(kind, payload) {
      const record = frameRecord(kind, payload, chain)
      await append(record.bytes)
      ;({ chain } = record)
    },
    async putSalts(block, all) {
      if (all.length === 0) return
      const magic = salts === undefined ? [saltsMagic] : []
      salts ??= await files.create(join(folder, saltsName(segment)))
      const counts = Buffer.allocUnsafe(8)
      counts.writeUInt32BE(block, 0)
      counts.writeUInt32BE(all.length, 4)
      await salts.append(Buffer.concat([...magic, counts, ...all]))
    },
    async sync() {
      await salts?.sync()
      await file.sync()
    },
    async close() {
      await salts?.close()
      await file.close()
    },
    bytes: () => bytes,
    chain: () => chain,
    async inspect() {
      const found = await file.look()
      if (!found.isLinked) return 'its file was removed while it was being written'
      return found.bytes === bytes ? undefined : 'its file was changed by somebody else while it was being written'
    },
  }
}
