/**
 * One write for what many sessions have said: it is on disk once a journal has it, and the files that it belongs to are
 * synced by and by. A journal is removed when all of its files have been. What a power failure leaves of one is put back
 * before a gateway starts again (`put-back.ts`).
 */

import { closeSync, constants, fdatasyncSync, mkdirSync, openSync, readdirSync, unlinkSync, writeSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { encodeAppended, journalFolder, journalMagic, journalName, journalNumber } from '../format/journal.ts'
import { isNumberOf, makeOf, type Share } from '../../share.ts'
import type { RecorderLimits } from '../limits.ts'
import type { AppendFile } from './append-file.ts'
import type { Folders } from './folders.ts'

export type Journals = {
  /** What they have to be synced is on disk then. False: nothing is, and each has to be synced by itself. */
  readonly take: (files: readonly AppendFile[]) => boolean
  /** Goes on with syncing the files of a journal that has enough. For about so long. */
  readonly tidy: (forMs: number) => void
  /** Syncs the files of all of them: nothing more comes. */
  readonly finish: () => void
}

export type JournalLimits = Pick<RecorderLimits, 'journalBytes' | 'journalMs'>

type JournalsDeps = {
  readonly dir: string
  readonly folders: Folders
  readonly limits: JournalLimits
  readonly share: Share
}

export function createJournals({ dir, folders, limits, share }: JournalsDeps): Journals {
  const folder = join(dir, journalFolder)
  let number: number | undefined
  let current: Journal | undefined
  /** Those that take no more. */
  const full: Journal[] = []

  const start = (): Journal => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    number = nextOf(share, number ?? lastIn(folder))
    const journal = createJournal(join(folder, journalName(number)), dir)
    // Before its name is on disk, which may fail: then it is left like any other.
    current = journal
    for (const one of [folder, dir]) {
      folders.changed(one)
      folders.sync(one)
    }
    return journal
  }
  const leave = (): void => {
    if (current !== undefined) full.push(current)
    current = undefined
  }

  const settle = (until: number): void => {
    while (full[0]?.settle(until) === true) full.shift()
  }

  return {
    take(files) {
      try {
        const journal = current ?? start()
        journal.put(files)
      } catch {
        // Half a record may be in it: nothing that comes after that would be read.
        leave()
        return false
      }
      for (const file of files) file.journaled()
      return true
    },
    tidy(forMs) {
      const until = performance.now() + forMs
      if (full.length === 0 && current?.hasEnough(limits) === true) leave()
      settle(until)
    },
    finish() {
      leave()
      settle(Infinity)
    },
  }
}

const nextOf = (share: Share, after: number): number => {
  let number = after
  return makeOf(
    () => ++number,
    (next) => isNumberOf(share, next),
  )
}

const lastIn = (folder: string): number =>
  Math.max(0, ...readdirSync(folder).flatMap((name) => journalNumber(name) ?? []))

type Journal = {
  readonly put: (files: readonly AppendFile[]) => void
  readonly hasEnough: (limits: JournalLimits) => boolean
  /** Syncs its files until then. @returns whether all are, and it is gone */
  readonly settle: (until: number) => boolean
}

function createJournal(path: string, dir: string): Journal {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND, 0o600)
  const begun = performance.now()
  const owed = new Set<AppendFile>()
  let bytes = 0
  let isNeeded = false

  const write = (all: Buffer): void => {
    for (let done = 0; done < all.length;) done += writeSync(file, all, done)
    bytes += all.length
  }
  const syncOne = (one: AppendFile): void => {
    try {
      one.sync()
    } catch {
      // Whoever writes to it next is told. What is here is put back when the gateway starts again.
      isNeeded = true
    }
  }

  return {
    put(files) {
      const record = encodeAppended(files.flatMap((one) => appendedTo(one, dir)))
      write(bytes === 0 ? Buffer.concat([journalMagic, record]) : record)
      fdatasyncSync(file)
      for (const one of files) owed.add(one)
    },
    hasEnough: ({ journalBytes, journalMs }) => bytes >= journalBytes || performance.now() - begun >= journalMs,
    settle(until) {
      for (const one of owed) {
        if (performance.now() >= until) return false
        if (one.isBehind()) syncOne(one)
        owed.delete(one)
      }
      closeSync(file)
      if (!isNeeded) unlinkSync(path)
      return true
    },
  }
}

function appendedTo(one: AppendFile, dir: string) {
  const unsynced = one.forJournal()
  if (unsynced === undefined) return []
  return { file: relative(dir, one.path).replaceAll(sep, '/'), at: unsynced.at, bytes: Buffer.concat(unsynced.bytes) }
}
