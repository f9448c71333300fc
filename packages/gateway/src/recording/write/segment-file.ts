/** One segment, as it is written: records in a chain, and the salts of its commitments beside them. */

import { join } from 'node:path'
import { frameRecord, saltsMagic, segmentMagic } from '../format/frame.ts'
import type { RecordKind } from '../format/frame.ts'
import { saltBytes, saltsName, segmentName } from '../format/place.ts'
import { createAppendFile } from './append-file.ts'
import type { AppendFile } from './append-file.ts'
import type { Folders } from './folders.ts'

export type SegmentFile = {
  readonly put: (kind: RecordKind, payload: Uint8Array) => void
  /** Before the block that they belong to, so that no commitment is there without its salt. */
  readonly putSalts: (block: number, salts: Uint8Array) => void
  /** What was put survives a power failure: it is in its files, or in a journal. */
  readonly secure: () => void
  /** It is in its files. */
  readonly sync: () => void
  /** Those that are secured. */
  readonly files: () => readonly AppendFile[]
  readonly close: () => void
  readonly bytes: () => number
  /** After the last record. */
  readonly chain: () => Buffer
  /** A sentence, where the file is not what was written. */
  readonly inspect: () => string | undefined
}

type SegmentFileDeps = {
  readonly folders: Folders
  readonly folder: string
  readonly segment: number
  readonly header: Buffer
  /** Of the segment before. */
  readonly chain: Buffer
}

export function createSegmentFile({ folders, folder, segment, header, chain: before }: SegmentFileDeps): SegmentFile {
  const first = frameRecord('header', header, before)
  const file = createAppendFile(join(folder, segmentName(segment)), folders)
  let salts: AppendFile | undefined
  let { chain } = first
  let bytes = 0
  // It goes with the first record: a file without one says nothing.
  let unwritten: Buffer | undefined = Buffer.concat([segmentMagic, first.bytes])

  const append = (record: Buffer): void => {
    const all = unwritten === undefined ? record : Buffer.concat([unwritten, record])
    file.append(all)
    unwritten = undefined
    bytes += all.length
  }

  return {
    put(kind, payload) {
      const record = frameRecord(kind, payload, chain)
      append(record.bytes)
      ;({ chain } = record)
    },
    putSalts(block, all) {
      if (all.length === 0) return
      const magic = salts === undefined ? [saltsMagic] : []
      salts ??= createAppendFile(join(folder, saltsName(segment)), folders)
      const counts = Buffer.allocUnsafe(8)
      counts.writeUInt32BE(block, 0)
      counts.writeUInt32BE(all.length / saltBytes, 4)
      salts.append(Buffer.concat([...magic, counts, all]))
    },
    secure() {
      salts?.secure()
      file.secure()
    },
    sync() {
      salts?.sync()
      file.sync()
    },
    files: () => (salts === undefined ? [file] : [salts, file]),
    close() {
      try {
        salts?.close()
      } finally {
        file.close()
      }
    },
    bytes: () => bytes,
    chain: () => chain,
    inspect() {
      const found = file.look()
      if (!found.isLinked) return 'its file was removed while it was being written'
      return found.bytes === bytes ? undefined : 'its file was changed by somebody else while it was being written'
    },
  }
}
