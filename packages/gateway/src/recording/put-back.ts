/**
 * Puts back into recordings what journals have of them, before anything is read or recorded: after a power failure it may
 * be missing there. Nothing that is there is changed. What differs, or is gone, is for whoever verifies the recording.
 */

import { constants, open, readFile, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeJournal, journalFolder, journalName, journalNumber } from './format/journal.ts'
import type { Appended } from './format/journal.ts'
import { isSaltsName, isSessionId, segmentNumber } from './format/place.ts'
import { isNumberOf, type Share, wholeShare } from '../share.ts'
import { namesIn } from './read/names-in.ts'
import { isMissing } from './read/segment.ts'

/** @returns how many bytes were missing. @throws where the disk does not take them: then the journals stay */
export async function putBackJournals(dir: string, share: Share = wholeShare): Promise<number> {
  const folder = join(dir, journalFolder)
  let missing = 0
  for (const number of (await namesIn(folder)).map(journalNumber).toSorted(ascending)) {
    if (number === undefined || !isNumberOf(share, number)) continue
    const path = join(folder, journalName(number))
    for (const [file, parts] of byFile(decodeJournal(await readFile(path))))
      missing += await putBack(join(dir, file), parts)
    await unlink(path)
  }
  return missing
}

const ascending = (a = 0, b = 0): number => a - b

function byFile(all: readonly Appended[]): Map<string, Appended[]> {
  const files = new Map<string, Appended[]>()
  for (const one of all) {
    const parts = files.get(one.file)
    if (parts !== undefined) parts.push(one)
    else if (isOfRecording(one.file)) files.set(one.file, [one])
  }
  return files
}

/** A journal that somebody else has written leads nowhere else. */
function isOfRecording(file: string): boolean {
  const [year = '', month = '', day = '', session = '', name = '', ...more] = file.split('/')
  const isDay = /^\d{4}$/.test(year) && /^\d{2}$/.test(month) && /^\d{2}$/.test(day)
  return isDay && isSessionId(session) && (isSaltsName(name) || segmentNumber(name) !== undefined) && more.length === 0
}

async function putBack(path: string, parts: readonly Appended[]): Promise<number> {
  const file = await openThere(path)
  if (file === undefined) return 0
  try {
    let missing = 0
    for (const part of parts) missing += await writePart(file, part)
    await file.datasync()
    return missing
  } finally {
    await file.close()
  }
}

/** Also what is there is written: after a fault of the disk, what can be read need not be on it. */
async function writePart(file: FileHandle, { at, bytes }: Appended): Promise<number> {
  const there = Buffer.alloc(bytes.length)
  const { size } = await file.stat()
  const { bytesRead } = await file.read(there, 0, bytes.length, at)
  const missing = missingOf(bytes, there.subarray(0, bytesRead))
  if (size < at || missing === undefined) return 0
  await writeAll(file, { at, bytes })
  return missing
}

/**
 * How many bytes; `undefined` where something else is there. A zero is nothing: file systems may have had the length of a
 * file on disk before what was written there.
 */
function missingOf(bytes: Uint8Array, there: Buffer): number | undefined {
  const missing = bytes.length - there.length
  if (there.equals(bytes.subarray(0, there.length))) return missing
  const others = there.filter((byte, i) => byte !== bytes[i])
  return others.every((byte) => byte === 0) ? missing + others.length : undefined
}

async function writeAll(file: FileHandle, { at, bytes }: Pick<Appended, 'at' | 'bytes'>): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  }
}

/** `undefined`: it was deleted. */
async function openThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
