/** Folders that a file or a folder was made in. A name survives a power failure only once its folder is on disk. */

import { closeSync, constants, fsyncSync, openSync } from 'node:fs'

export type Folders = {
  /** Something was made in it. */
  readonly changed: (folder: string) => void
  /** Once for all that was made in it until now: many sessions begin in one folder at one moment. */
  readonly sync: (folder: string) => void
  /** Nobody is going to ask for it: whose it was has been given up. */
  readonly forget: (folder: string) => void
}

export function createFolders(): Folders {
  const unsynced = new Set<string>()
  return {
    changed: (folder) => void unsynced.add(folder),
    sync(folder) {
      if (!unsynced.has(folder)) return
      syncNow(folder)
      unsynced.delete(folder)
    },
    forget: (folder) => void unsynced.delete(folder),
  }
}

function syncNow(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
