/** Reads the salts beside the segments, in step with the blocks. They may be erased, cut, or hostile. */

import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { saltsMagic } from '../format/frame.ts'
import { saltBytes, saltsName } from '../format/place.ts'
import { readerLimits } from '../limits.ts'

export type SaltsReader = {
  /** Of the commitments that begin in a block. Blocks are asked for in order. None where they are not to be had. */
  readonly of: (segment: number, block: number) => Promise<readonly Uint8Array[]>
  readonly close: () => Promise<void>
}

/** What is known when salts are not asked for. */
export const noSalts: SaltsReader = { of: async () => [], close: async () => undefined }

type Place = { readonly segment: number; readonly handle: FileHandle | undefined; position: number }

export function createSaltsReader(folder: string): SaltsReader {
  let place: Place | undefined

  const at = async (segment: number): Promise<Place> => {
    if (place?.segment === segment) return place
    await place?.handle?.close()
    place = { segment, handle: await openSalts(join(folder, saltsName(segment))), position: saltsMagic.length }
    return place
  }

  return {
    async of(segment, block) {
      const here = await at(segment)
      for (;;) {
        const counts = await read(here, here.position, 8)
        const [number, count] = counts === undefined ? [] : [counts.readUInt32BE(0), counts.readUInt32BE(4)]
        if (number === undefined || count === undefined || number > block) return []
        const start = here.position + 8
        here.position = start + count * saltBytes
        if (number === block)
          return count > readerLimits.saltsPerBlock ? [] : split(await read(here, start, count * saltBytes))
      }
    },
    async close() {
      await place?.handle?.close()
    },
  }
}

async function openSalts(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle
  try {
    handle = await open(path)
  } catch {
    // Erased or out of reach: the commitments stand without.
    return undefined
  }
  const magic = Buffer.alloc(saltsMagic.length)
  await handle.read(magic, 0, magic.length, 0)
  if (magic.equals(saltsMagic)) return handle
  await handle.close()
  return undefined
}

/** All of it; `undefined` where the file is shorter. */
async function read({ handle }: Place, position: number, bytes: number): Promise<Buffer | undefined> {
  if (handle === undefined) return undefined
  const buffer = Buffer.alloc(bytes)
  const { bytesRead } = await handle.read(buffer, 0, bytes, position)
  return bytesRead === bytes ? buffer : undefined
}

function split(salts: Buffer | undefined): readonly Uint8Array[] {
  if (salts === undefined) return []
  return Array.from({ length: salts.length / saltBytes }, (_, i) => salts.subarray(i * saltBytes, (i + 1) * saltBytes))
}
