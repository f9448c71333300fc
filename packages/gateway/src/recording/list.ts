/** Finds recordings in a folder of them, by the day that their sessions started on. */

import { opendir, readdir, stat } from 'node:fs/promises'
import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { parseInstant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import { isSaltsName, isSessionId, segmentNumber, tombstoneName } from './format/place.ts'

export type ListedRecording = {
  readonly session: string
  readonly folder: string
  /** The start of the day, in UTC, that the session started on. */
  readonly day: Instant
  readonly segments: number
  /** Of segments and salts. */
  readonly bytes: number
  readonly hasSalts: boolean
  readonly isDeleted: boolean
}

export type ListOptions = {
  /** Only sessions that started on a day that was over by then. */
  readonly before?: Instant
}

/** Day after day, the oldest first. What is not a recording is passed over, and so is what cannot be read. */
export async function* listRecordings(dir: string, { before }: ListOptions = {}): AsyncGenerator<ListedRecording> {
  for (const year of await foldersIn(dir, /^\d{4}$/)) {
    for (const month of await foldersIn(join(dir, year), /^\d{2}$/)) {
      for (const day of await foldersIn(join(dir, year, month), /^\d{2}$/)) {
        const start = parseInstant(`${year}-${month}-${day}T00:00:00Z`)
        if (start === undefined || (before !== undefined && start + dayMs > before)) continue
        yield* listDay(join(dir, year, month, day), start)
      }
    }
  }
}

const dayMs = 86_400_000

async function* listDay(folder: string, day: Instant): AsyncGenerator<ListedRecording> {
  const entries = await quietly(opendir(folder))
  if (entries === undefined) return
  for await (const entry of entries) {
    if (!entry.isDirectory() || !isSessionId(entry.name)) continue
    const listed = await quietly(look(join(folder, entry.name), entry.name, day))
    if (listed !== undefined) yield listed
  }
}

/** `undefined`: there is nothing of a recording in it. */
async function look(folder: string, session: string, day: Instant): Promise<ListedRecording | undefined> {
  const names = (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name)
  const segments = names.filter((name) => segmentNumber(name) !== undefined)
  const salts = names.filter(isSaltsName)
  const isDeleted = names.includes(tombstoneName.all)
  if (segments.length === 0 && !isDeleted) return undefined
  const sizes = await Promise.all([...segments, ...salts].map(async (name) => (await stat(join(folder, name))).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  return { session, folder, day, segments: segments.length, bytes, hasSalts: salts.length > 0, isDeleted }
}

async function foldersIn(folder: string, form: RegExp): Promise<readonly string[]> {
  const entries: readonly Dirent[] = (await quietly(readdir(folder, { withFileTypes: true }))) ?? []
  return entries
    .filter((entry) => entry.isDirectory() && form.test(entry.name))
    .map(({ name }) => name)
    .toSorted()
}

/** What is removed while it is looked at, or is not for us to read, is not listed. */
async function quietly<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch {
    return undefined
  }
}
