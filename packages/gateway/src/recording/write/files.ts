/** What a recorder asks of a file system: to append, and to be told what is there. */

import { constants, mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'

export type AppendFile = {
  /** Writes all of it, or fails. */
  readonly append: (bytes: Buffer) => Promise<void>
  /** Resolves when what was appended survives a power failure. */
  readonly sync: () => Promise<void>
  /** What is there now: somebody may have removed or cut it. */
  readonly look: () => Promise<{ readonly bytes: number; readonly isLinked: boolean }>
  readonly close: () => Promise<void>
}

export type RecordingFiles = {
  /** A new file that only we can read, in a folder that only we can enter. Fails where there is a file of that name. */
  readonly create: (path: string) => Promise<AppendFile>
}

export const nodeFiles: RecordingFiles = {
  async create(path) {
    const folder = dirname(path)
    const made = await mkdir(folder, { recursive: true, mode: 0o700 })
    const handle = await open(path, 'ax', 0o600)
    try {
      // A name survives a power failure only once its folder is on disk, and so on upwards.
      await syncFolders(folder, made === undefined ? folder : dirname(made))
    } catch (error) {
      await handle.close()
      throw error
    }
    return appendTo(handle)
  },
}

const appendTo = (handle: FileHandle): AppendFile => ({
  async append(bytes) {
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done)
      done += bytesWritten
    }
  },
  sync: () => handle.datasync(),
  async look() {
    const { size, nlink } = await handle.stat()
    return { bytes: size, isLinked: nlink > 0 }
  },
  close: () => handle.close(),
})

async function syncFolders(from: string, to: string): Promise<void> {
  await syncFolder(from)
  if (from !== to && dirname(from) !== from) await syncFolders(dirname(from), to)
}

/** What was made, renamed or removed in a folder is on disk once the folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
