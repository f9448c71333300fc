/** Reading entries of a published log, each proved to be in the tree of a checkpoint. */

import { decodeEntry } from './entry.ts'
import type { LogEntry } from './entry.ts'
import { limits } from './limits.ts'
import { inclusionRanges, leafHash, verifyInclusion } from './merkle.ts'
import type { Hash, TreeHead } from './merkle.ts'
import { readPublishedBundle, readPublishedTile } from './published.ts'
import { readAhead } from './read-ahead.ts'
import type { LogSource } from './source.ts'
import { bundlePath, changedBundles, tileIn } from './tile-path.ts'
import type { BundleRef } from './tile-path.ts'
import { emptyEdge, growTree, rangeRoots } from './tiles.ts'

export type ReadEntriesOptions = {
  readonly source: LogSource
  /** What the entries are proved against: the tree of a verified checkpoint. */
  readonly tree: TreeHead
  /** The first entry to read. */
  readonly from: number
  /** Where to stop: the entry after the last. */
  readonly to: number
}

export type ReadEntry = { readonly index: number; readonly entry: LogEntry }

/**
 * Reads the entries `from` up to but without `to`, in order. Each bundle is proved against the tree before any of its
 * entries is given out, so the source need not be trusted.
 *
 * Throws a `RangeError` for a range outside the tree, and an `Error` that names the resource where one is missing,
 * malformed, or not of this tree.
 */
export async function* readEntries({
  source,
  tree,
  from,
  to,
}: ReadEntriesOptions): AsyncGenerator<ReadEntry, void, undefined> {
  if (![from, to].every(Number.isSafeInteger) || from < 0 || from > to || to > tree.size) {
    throw new RangeError(`entries ${from} to ${to} are not in a tree of size ${tree.size}`)
  }
  const load = (bundle: BundleRef): Promise<readonly ReadEntry[]> => loadProved(source, tree, bundle)
  for await (const entries of readAhead(bundlesBetween({ from, to, size: tree.size }), limits.bundlesAhead, load)) {
    for (const each of entries) if (each.index >= from && each.index < to) yield each
  }
}

/** The bundles over a range, each as wide as the tree has it. */
function* bundlesBetween({ from, to, size }: { from: number; to: number; size: number }): Generator<BundleRef> {
  for (const { index } of changedBundles({ from, to })) {
    yield { index, width: tileIn(size, { level: 0, index }).width }
  }
}

async function loadProved(source: LogSource, tree: TreeHead, bundle: BundleRef): Promise<readonly ReadEntry[]> {
  const found = await readPublishedBundle(source, bundle)
  if (!found.ok) throw new Error(found.detail)
  if (!found.whole || !(await isInTree(found.entries.map(leafHash), { source, tree, bundle }))) {
    throw new Error(`${bundlePath(bundle)} is not of the tree of size ${tree.size}`)
  }
  return found.entries.map((bytes, i) => {
    const index = bundle.index * limits.tileWidth + i
    const decoded = decodeEntry(bytes)
    if (!decoded.ok) throw new Error(`entry ${index}: ${decoded.detail}`)
    return { index, entry: decoded.entry }
  })
}

/**
 * Whether these are the leaves under a bundle. Trees split at multiples of 256 for as long as they can, so the bundles'
 * roots are the leaves of a tree of their own with the same root, and the bundle is proved as its leaf.
 */
async function isInTree(
  leaves: readonly Hash[],
  { source, tree, bundle }: { readonly source: LogSource; readonly tree: TreeHead; readonly bundle: BundleRef },
): Promise<boolean> {
  const place = { index: bundle.index, size: Math.ceil(tree.size / limits.tileWidth) }
  const ranges = inclusionRanges(place).map(({ begin, end }) => ({
    begin: begin * limits.tileWidth,
    end: Math.min(end * limits.tileWidth, tree.size),
  }))
  const proof = await rangeRoots(ranges, tree.size, async (tile) => {
    const published = await readPublishedTile(source, tile)
    if (!published.ok) throw new Error(published.detail)
    return Buffer.concat(published.hashes)
  })
  const { root } = growTree(emptyEdge, leaves)
  return verifyInclusion({ index: place.index, leaf: root, proof, tree: { size: place.size, root: tree.root } })
}
