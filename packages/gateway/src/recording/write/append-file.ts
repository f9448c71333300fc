/** A file that is only appended to. Its calls wait for the disk. */

import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Folders } from './folders.ts'

export type AppendFile = {
  /** Writes all of it, or fails. */
  readonly append: (bytes: Uint8Array) => void
  /** What was appended survives a power failure, and so does the file. */
  readonly sync: () => void
  /** What is there now: somebody may have removed or cut it. */
  readonly look: () => { readonly bytes: number; readonly isLinked: boolean }
  readonly close: () => void
}

/** A new file that only we can read, in a folder of its own that only we can enter. @throws where there is a file of that name */
export function createAppendFile(path: string, folders: Folders): AppendFile {
  const folder = dirname(path)
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = openSync(path, 'ax', 0o600)
  // Its own, and those that a folder on the way to it was made in.
  let unnamed = pathUp(folder, made === undefined ? folder : dirname(made))
  for (const one of unnamed) folders.changed(one)
  let isOpen = true

  return {
    append(bytes) {
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
    },
    sync() {
      fdatasyncSync(file)
      for (const one of unnamed) folders.sync(one)
      unnamed = []
    },
    look() {
      const { size, nlink } = fstatSync(file)
      return { bytes: size, isLinked: nlink > 0 }
    },
    // Its number may be somebody else's file by the second time.
    close() {
      if (isOpen) closeSync(file)
      isOpen = false
      // Of one that never was on disk. The folders above it are others' too.
      if (unnamed.length > 0) folders.forget(folder)
    },
  }
}

const pathUp = (from: string, to: string): readonly string[] =>
  from === to || dirname(from) === from ? [from] : [from, ...pathUp(dirname(from), to)]
