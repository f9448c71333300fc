/** A file that is only appended to. Its calls wait for the disk. */

import { closeSync, fdatasyncSync, fstatSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Folders } from './folders.ts'

export type AppendFile = {
  readonly path: string
  /** Writes all of it, or fails. */
  readonly append: (bytes: Uint8Array) => void
  /** What was appended is on disk in it, and so is its name. */
  readonly sync: () => void
  /** The same, but for what a journal has. */
  readonly secure: () => void
  /** What a journal may have instead: little, of a file that was synced before. */
  readonly forJournal: () => Unsynced | undefined
  /** A journal has that. */
  readonly journaled: () => void
  /** A journal has what is not synced here. Once it is closed: what could not be. */
  readonly isBehind: () => boolean
  /** What is there now: somebody may have removed or cut it. */
  readonly look: () => { readonly bytes: number; readonly isLinked: boolean }
  readonly close: () => void
}

/** At what place of the file, and the bytes in their order. */
export type Unsynced = { readonly at: number; readonly bytes: readonly Uint8Array[] }

/** More than this is written once, to where it belongs. */
const mostForJournal = 64 * 1_024

/** A new file that only we can read, in a folder of its own that only we can enter. @throws where there is a file of that name */
export function createAppendFile(path: string, folders: Folders): AppendFile {
  const folder = dirname(path)
  const there = makeFolder(folder)
  const file = openSync(path, 'ax', 0o600)
  let unnamed = namers(folder, there, folders)
  for (const one of unnamed) folders.changed(one)
  let isOpen = true
  let bytesInAll = 0
  /** On disk, here or in a journal. */
  let bytesSafe = 0
  let unsafe: Uint8Array[] = []
  let isBehind = false
  /** The system tells it once: a call after that would seem to succeed. */
  let fault: Error | undefined

  const allSafe = (): void => {
    bytesSafe = bytesInAll
    unsafe = []
  }
  const syncContent = (): void => {
    if (fault !== undefined) throw fault
    try {
      fdatasyncSync(file)
    } catch (error) {
      throw (fault = error instanceof Error ? error : new Error(String(error)))
    }
    allSafe()
    isBehind = false
  }

  const sync = (): void => {
    if (isBehind || bytesInAll > bytesSafe) syncContent()
    for (const one of unnamed) folders.sync(one)
    if (unnamed.length > 0 && folder !== there) folders.named(there)
    unnamed = []
  }

  return {
    path,
    append(bytes) {
      for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done)
      bytesInAll += bytes.length
      if (bytesInAll - bytesSafe <= mostForJournal) unsafe.push(bytes)
      else unsafe = []
    },
    sync,
    secure() {
      if (fault !== undefined || unnamed.length > 0 || bytesInAll > bytesSafe) sync()
    },
    forJournal() {
      const bytes = bytesInAll - bytesSafe
      const isOne = fault === undefined && unnamed.length === 0 && bytes > 0 && bytes <= mostForJournal
      return isOne ? { at: bytesSafe, bytes: unsafe } : undefined
    },
    journaled() {
      allSafe()
      isBehind = true
    },
    isBehind: () => isBehind,
    look() {
      const { size, nlink } = fstatSync(file)
      return { bytes: size, isLinked: nlink > 0 }
    },
    // Its number may be somebody else's file by the second time.
    close() {
      if (!isOpen) return
      isOpen = false
      try {
        if (isBehind) syncContent()
      } finally {
        closeSync(file)
        // Of one that never was on disk. The folders above it are others' too.
        if (unnamed.length > 0) folders.forget(folder)
      }
    },
  }
}

/** @returns the last on the way to it that was there already, which may be itself */
function makeFolder(folder: string): string {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 })
  return first === undefined ? folder : dirname(first)
}

/**
 * Its own, those that a folder on the way to it was made in, and once those above them: another process may have made
 * them just now.
 */
const namers = (folder: string, there: string, { above }: Folders): readonly string[] => [
  ...pathUp(folder, there),
  ...(folder === there ? [] : above(there)),
]

const pathUp = (from: string, to: string): readonly string[] =>
  from === to || dirname(from) === from ? [from] : [from, ...pathUp(dirname(from), to)]
