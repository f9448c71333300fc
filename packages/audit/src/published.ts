/** The resources of a published log, read from an untrusted source and held to their form. Nothing here throws. */

import { decodeUtf8 } from './bytes.ts'
import { readBundle } from './bundle.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { Checkpoint, CheckpointProblem } from './checkpoint.ts'
import { followHandovers, parseHandovers } from './handover.ts'
import type { Handover } from './handover.ts'
import { limits } from './limits.ts'
import { hashBytes } from './merkle.ts'
import type { Hash } from './merkle.ts'
import type { VerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Outcome } from './outcome.ts'
import type { LogSource } from './source.ts'
import { bundlePath, checkpointPath, handoversPath, tilePath } from './tile-path.ts'
import type { BundleRef, TileRef } from './tile-path.ts'
import { splitHashes } from './tiles.ts'

/** `missing`: the source has no such resource. `unreadable`: it failed, was too slow, or sent too much. */
export type ReadProblem = 'missing' | 'unreadable'

export type PublishedCheckpoint = {
  readonly checkpoint: Checkpoint
  readonly note: string
  /** The way from the key to those after it. Empty: the key signs still. */
  readonly handovers: readonly Handover[]
}

/** The checkpoint that the log publishes, verified with the key or with one that it leads to, and its note. */
export async function readCheckpoint(
  source: LogSource,
  key: VerifierKey,
): Promise<Outcome<PublishedCheckpoint, ReadProblem | CheckpointProblem>> {
  const found = await readResource(source, checkpointPath)
  if (!found.ok) return found
  const note = decodeUtf8(found.bytes)
  if (note === undefined) return failure('malformed-note', 'the checkpoint is not UTF-8')
  const opened = openCheckpoint(note, key)
  if (opened.ok) return { ...opened, note, handovers: [] }
  if (opened.reason !== 'not-signed') return opened
  const published = await readHandovers(source)
  if (!published.ok) return published.reason === 'missing' ? opened : published
  const handovers = followHandovers(key, published.receipts)
  const tried = handovers.map(({ to }) => openCheckpoint(note, to))
  const byLater = tried.findLast((one) => one.ok || one.reason !== 'not-signed')
  return byLater?.ok ? { ...byLater, note, handovers } : (byLater ?? opened)
}

/** As they are published: whose they are is for {@link followHandovers}. What has another form proves nothing. */
export async function readHandovers(
  source: LogSource,
): Promise<Outcome<{ readonly receipts: readonly string[] }, ReadProblem>> {
  const found = await readResource(source, handoversPath)
  return found.ok ? { ok: true, receipts: parseHandovers(found.bytes) ?? [] } : found
}

/** A tile's hashes, exactly as many as its width. */
export async function readPublishedTile(
  source: LogSource,
  tile: TileRef,
): Promise<Outcome<{ readonly hashes: readonly Hash[] }, ReadProblem | 'malformed-tile'>> {
  const found = await readPartial(source, tile, tilePath)
  if (!found.ok) return found
  const bytes = found.full ? found.bytes.subarray(0, tile.width * hashBytes) : found.bytes
  if (bytes.length === tile.width * hashBytes) return { ok: true, hashes: splitHashes(bytes) }
  return failure('malformed-tile', `${tilePath(tile)} has ${found.bytes.length} bytes`)
}

/** A bundle's entries: all of them, or where the bundle is not whole, those before the fault. */
export type PublishedBundle = { readonly entries: readonly Uint8Array[]; readonly whole: boolean }

/** Reads a bundle. It may be broken, so that the caller can say which entry is to blame. */
export async function readPublishedBundle(
  source: LogSource,
  bundle: BundleRef,
): Promise<Outcome<PublishedBundle, ReadProblem>> {
  const found = await readPartial(source, bundle, bundlePath)
  if (!found.ok) return found
  const { entries, restBytes } = readBundle(found.bytes, bundle.width)
  return { ok: true, entries, whole: entries.length === bundle.width && (found.full || restBytes === 0) }
}

/**
 * Reads a resource that may be partial. Logs may drop a partial one once it is full (tlog-tiles, "Partial Tiles"),
 * so the full one, of which it is a prefix, is second choice; `full` says that it was taken instead.
 */
async function readPartial<Ref extends { readonly width: number }>(
  source: LogSource,
  ref: Ref,
  pathOf: (ref: Ref) => string,
): Promise<Outcome<{ readonly bytes: Uint8Array; readonly full: boolean }, ReadProblem>> {
  const exact = await readResource(source, pathOf(ref))
  if (exact.ok) return { ...exact, full: false }
  if (exact.reason !== 'missing' || ref.width === limits.tileWidth) return exact
  const full = await readResource(source, pathOf({ ...ref, width: limits.tileWidth }))
  return full.ok ? { ...full, full: true } : exact
}

async function readResource(
  source: LogSource,
  path: string,
): Promise<Outcome<{ readonly bytes: Uint8Array }, ReadProblem>> {
  try {
    const bytes = await source.read(path)
    return bytes === undefined ? failure('missing', `${path} is missing`) : { ok: true, bytes }
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown fault'
    return failure('unreadable', `${path} cannot be read: ${why}`)
  }
}
