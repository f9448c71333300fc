/** The bytes of a recording as its files have them, for whoever reads it somewhere else. */

import { constants, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { segmentName } from '../format/place.ts'
import { isMissing } from './segment.ts'
import { segmentsIn } from './walk.ts'

export type RawPiece = { readonly segment: number; readonly bytes: Buffer }

export type RawOptions = {
  readonly pieceBytes: number
  /** Called where there is nothing more for now: `true` looks again. */
  readonly wait: () => Promise<boolean>
}

/** Segment after segment. Nothing at all where there is no recording. */
export async function* readRaw(folder: string, { pieceBytes, wait }: RawOptions): AsyncGenerator<RawPiece> {
  for (let segment = 1; ; segment++) {
    const handle = await openWhenThere(join(folder, segmentName(segment)), wait)
    if (handle === undefined) return
    try {
      for (let position = 0; ;) {
        // Looked at before the read: a segment is whole once the next one is there.
        const isWhole = (await segmentsIn(folder)).some((number) => number > segment)
        const bytes = await readAt(handle, position, pieceBytes)
        position += bytes.length
        if (bytes.length > 0) yield { segment, bytes }
        else if (isWhole) break
        else if (!(await wait())) return
      }
    } finally {
      await handle.close()
    }
  }
}

async function openWhenThere(path: string, wait: () => Promise<boolean>): Promise<FileHandle | undefined> {
  for (;;) {
    try {
      return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    if (!(await wait())) return undefined
  }
}

async function readAt(handle: FileHandle, position: number, most: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(most)
  const { bytesRead } = await handle.read(buffer, 0, most, position)
  return buffer.subarray(0, bytesRead)
}
