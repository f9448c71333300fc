/** Copying a published log, so that it can be kept and verified elsewhere. */

import { encodeBundle } from './bundle.ts'
import { encodeUtf8 } from './bytes.ts'
import type { CheckpointProblem } from './checkpoint.ts'
import { limits } from './limits.ts'
import { formatHandovers } from './handover.ts'
import { parseVerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Failure, Outcome } from './outcome.ts'
import { readCheckpoint, readHandovers, readPublishedBundle, readPublishedTile } from './published.ts'
import type { ReadProblem } from './published.ts'
import { readAhead } from './read-ahead.ts'
import type { LogSource, LogWriter } from './source.ts'
import { bundlePath, changedBundles, changedTiles, checkpointPath, handoversPath, tilePath } from './tile-path.ts'
import type { BundleRef, TileRef } from './tile-path.ts'

export type ExportLogOptions = { readonly source: LogSource; readonly writer: LogWriter; readonly vkey: string }

export type ExportProblem = CheckpointProblem | ReadProblem | 'malformed-key' | 'malformed-tile' | 'malformed-bundle'

/**
 * Copies the log of the published checkpoint: tiles and bundles first, the checkpoint last, so that a copy that has a
 * checkpoint is complete. Forms are checked and hashes are not; that is for {@link verifyLog}, on the copy.
 * A source's faults are returned, the writer's are thrown.
 */
export async function exportLog({
  source,
  writer,
  vkey,
}: ExportLogOptions): Promise<Outcome<{ readonly size: number }, ExportProblem>> {
  const key = parseVerifierKey(vkey)
  if (key === undefined) return failure('malformed-key', 'the verifier key is not an Ed25519 vkey')
  const published = await readCheckpoint(source, key)
  if (!published.ok) return published
  const { size } = published.checkpoint
  const failed =
    (await copyAll(changedTiles({ from: 0, to: size }), (tile) => copyTile(source, writer, tile))) ??
    (await copyAll(changedBundles({ from: 0, to: size }), (bundle) => copyBundle(source, writer, bundle)))
  if (failed !== undefined) return failed
  const handovers = await readHandovers(source)
  if (handovers.ok) await writer.write(handoversPath, encodeUtf8(formatHandovers(handovers.receipts)))
  else if (handovers.reason !== 'missing') return handovers
  await writer.write(checkpointPath, encodeUtf8(published.note))
  return { ok: true, size }
}

type CopyFailure = Failure<ReadProblem | 'malformed-tile' | 'malformed-bundle'>

async function copyAll<Ref>(
  refs: Iterable<Ref>,
  copy: (ref: Ref) => Promise<CopyFailure | undefined>,
): Promise<CopyFailure | undefined> {
  for await (const failed of readAhead(refs, limits.bundlesAhead, copy)) {
    if (failed !== undefined) return failed
  }
  return undefined
}

async function copyTile(source: LogSource, writer: LogWriter, tile: TileRef): Promise<CopyFailure | undefined> {
  const found = await readPublishedTile(source, tile)
  if (!found.ok) return found
  await writer.write(tilePath(tile), Buffer.concat(found.hashes))
  return undefined
}

async function copyBundle(source: LogSource, writer: LogWriter, bundle: BundleRef): Promise<CopyFailure | undefined> {
  const found = await readPublishedBundle(source, bundle)
  if (!found.ok) return found
  if (!found.whole) return failure('malformed-bundle', `${bundlePath(bundle)} is malformed`)
  await writer.write(bundlePath(bundle), encodeBundle(found.entries))
  return undefined
}
