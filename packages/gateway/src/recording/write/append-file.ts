/** A file that is only appended to. Its calls wait for the disk. */

import { closeSync, constants, fdatasyncSync, fstatSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export type AppendFile = {
  /** Writes all of it, or fails. */
  readonly append: (bytes: Uint8Array) => void
  /** What was appended survives a power failure, and so does the file. */
  readonly sync: () => void
  /** What is there now: somebody may have removed or cut it. */
  readonly look: () => { readonly bytes: number; readonly isLinked: boolean }
  readonly close: () => void
}

/** A new file that only we can read, in a folder that only we can enter. @throws where there is a file of that name */
export function createAppendFile(path: string): AppendFile {
  const folder = dirname(path)
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = openSync(path, 'ax', 0o600)
  let isNew = true
  let isOpen = true

  return {
    append(bytes) {
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
    },
    sync() {
      fdatasyncSync(file)
      // A name survives a power failure only once its folder is on disk, and so on upwards.
      if (isNew) syncFolders(folder, made === undefined ? folder : dirname(made))
      isNew = false
    },
    look() {
      const { size, nlink } = fstatSync(file)
      return { bytes: size, isLinked: nlink > 0 }
    },
    // Its number may be somebody else's file by the second time.
    close() {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  }
}

function syncFolders(from: string, to: string): void {
  syncFolderNow(from)
  if (from !== to && dirname(from) !== from) syncFolders(dirname(from), to)
}

function syncFolderNow(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
