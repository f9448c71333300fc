/** Folders that a file or a folder was made in. A name survives a power failure only once its folder is on disk. */

import { closeSync, constants, fsyncSync, openSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

export type Folders = {
  /** Something was made in it. */
  readonly changed: (folder: string) => void
  /** Once for all that was made in it until now: many sessions begin in one folder at one moment. */
  readonly sync: (folder: string) => void
  /** Which others are to be synced as well for its own name to survive: another process may have made it just now. */
  readonly above: (folder: string) => readonly string[]
  /** Those have been. */
  readonly named: (folder: string) => void
  /** Nobody is going to ask for it: whose it was has been given up. */
  readonly forget: (folder: string) => void
}

/** @param root what is above it is not ours. Absent: nobody else makes folders there */
export function createFolders(root?: string): Folders {
  const unsynced = new Set<string>()
  const sure = new Set<string>()
  // As paths in it begin.
  const top = root === undefined ? undefined : dirname(join(root, 'any'))
  /** With itself, up to the first whose name is known to be on disk. */
  const unsure = (folder: string): readonly string[] =>
    top === undefined || !folder.startsWith(`${top}${sep}`) || sure.has(folder)
      ? []
      : [folder, ...unsure(dirname(folder))]
  return {
    above: (folder) => unsure(folder).map((one) => dirname(one)),
    named(folder) {
      for (const one of unsure(folder)) sure.add(one)
    },
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
