/** Deletes recordings, or what opens their commitments, and leaves behind what proves that it was a deletion. */

import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { formatInstant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import type { Head } from './format/head.ts'
import { isSaltsName, segmentNumber, tombstoneName } from './format/place.ts'
import type { Forgotten } from './format/place.ts'
import { readTombstone, tombstoneDigest } from './read/tombstone.ts'
import type { Tombstone } from './read/tombstone.ts'
import { verifyRecording } from './read/verify.ts'
import { syncFolder } from './sync-folder.ts'

export type ForgetOptions = {
  /** `salts`: values can no longer be tried on the commitments. `all`: the recording itself, with them. */
  readonly what: Forgotten
  readonly by: string
  readonly reason: string
  readonly at: Instant
  /** The latest head that the audit log has. With it, the deletion is held against the log for ever. */
  readonly head?: Head
}

export type ForgetOutcome = {
  readonly tombstone: Tombstone
  /** Belongs in the audit log: whoever can write the files could otherwise write another tombstone. */
  readonly digest: string
  /** It had been deleted before: the tombstone is the first one. */
  readonly wasGone: boolean
}

/**
 * Writes the tombstone first, so that no crash leaves a hole: what is deleted twice is finished the second time. A
 * recording that does not hold is deleted like any other, and the tombstone says so. The session must have ended.
 */
export async function forgetRecording(folder: string, options: ForgetOptions): Promise<ForgetOutcome> {
  const { what } = options
  // Of what is not there a tombstone says that.
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const earlier = await readTombstone(folder, what)
  const doomed = (await readdir(folder)).filter(
    (name) => isSaltsName(name) || (what === 'all' && segmentNumber(name) !== undefined),
  )
  const tombstone = earlier ?? (await bury(folder, doomed, options))
  for (const name of doomed) await rm(join(folder, name), { force: true })
  await syncFolder(folder)
  return { tombstone, digest: tombstoneDigest(tombstone), wasGone: earlier !== undefined }
}

async function bury(folder: string, doomed: readonly string[], options: ForgetOptions): Promise<Tombstone> {
  const { what, by, reason, at, head } = options
  const verdict = await verifyRecording(folder, head === undefined ? {} : { head })
  const sizes = await Promise.all(doomed.map(async (name) => (await stat(join(folder, name))).size))
  const tombstone: Tombstone = {
    format: 'tidegate recording deletion',
    version: 1,
    what,
    at: formatInstant(at),
    by,
    reason,
    head: verdict.head,
    anchored: head ?? null,
    verdict: verdict.ok ? verdict.detail : `it did not hold (${verdict.reason}): ${verdict.detail}`,
    files: doomed.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
  }
  await writeWhole(join(folder, tombstoneName[what]), JSON.stringify(tombstone))
  return tombstone
}

/** There whole or not at all, also after a power failure; the caller syncs the folder before it relies on the name. */
async function writeWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.partial`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, path)
}
