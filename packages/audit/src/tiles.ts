/**
 * The tree kept as tiles (C2SP tlog-tiles, section "Merkle Tree"): growing it, and making proofs from it.
 *
 * Growing is a pure function from the right edge and the new leaves to the tiles that change, so that a server can
 * read the edge, call it, and write rows and checkpoint in one transaction.
 */

import { limits } from './limits.ts'
import {
  consistencyRanges,
  foldSubtrees,
  hashBytes,
  inclusionRanges,
  nodeHash,
  rangeRoot,
  rangeSubtrees,
} from './merkle.ts'
import type { Hash, HashReader, LeafRange, Subtree, TreeHead } from './merkle.ts'
import { tileIn, tilePath } from './tile-path.ts'
import type { TileRef } from './tile-path.ts'

/** A tile and its `width` hashes of 32 bytes, one after another: what is served and stored. */
export type Tile = TileRef & { readonly hashes: Uint8Array }

/** A tree's size and its partial tiles (`partialTiles` names them): all that appending needs to know. */
export type TreeEdge = { readonly size: number; readonly tiles: readonly Tile[] }

/** The tree after growing. */
export type Growth = TreeHead & {
  /** The tiles that are new or wider, to be stored over their narrower selves. */
  readonly tiles: readonly Tile[]
  /** The edge to grow from next. */
  readonly edge: TreeEdge
}

/**
 * The bytes of a tile, or `undefined` where there is none. A store that has overwritten a partial tile with a wider
 * one may return the wider: the narrower is its prefix.
 */
export type TileReader = (tile: TileRef) => Promise<Uint8Array | undefined>

export const emptyEdge: TreeEdge = { size: 0, tiles: [] }

/**
 * Appends leaves, given as their hashes. Throws a `RangeError` where the edge does not hold the tiles that a tree of
 * its size has on the right: it was read from a store that is torn.
 */
export function growTree(edge: TreeEdge, leaves: readonly Hash[]): Growth {
  const size = edge.size + leaves.length
  if (!Number.isSafeInteger(size)) throw new RangeError(`a tree holds at most ${limits.treeSize} entries`)
  const tiles: Tile[] = []
  const partial: Tile[] = []
  let incoming = leaves
  for (let level = 0; limits.tileWidth ** level <= size; level++) {
    const grown = growLevel({ level, edge, incoming })
    for (const tile of grown) {
      if (incoming.length > 0) tiles.push(tile)
      if (tile.width < limits.tileWidth) partial.push(tile)
    }
    incoming = grown.filter((tile) => tile.width === limits.tileWidth).map(tileRoot)
  }
  const next = { size, tiles: partial }
  return { size, root: edgeRoot(next), tiles, edge: next }
}

/** The root of the tree with this edge. */
export function edgeRoot({ tiles }: TreeEdge): Hash {
  return foldSubtrees(tiles.toReversed().flatMap(tileSubtrees))
}

/** Cuts the concatenated hashes of a tile. */
export function splitHashes(bytes: Uint8Array): readonly Hash[] {
  return Array.from({ length: Math.floor(bytes.length / hashBytes) }, (_, i) =>
    bytes.subarray(i * hashBytes, (i + 1) * hashBytes),
  )
}

/** The root of a tree of this size. Throws like {@link inclusionProof}. */
export async function treeRoot(size: number, readTile: TileReader): Promise<Hash> {
  const whole = { begin: 0, end: size }
  return rangeRoot(whole, await readHashes(rangeSubtrees(whole), size, readTile))
}

/**
 * The proof that entry `index` is in the tree of this size (RFC 6962 section 2.1.1), leaf's sibling first. Throws a
 * `RangeError` for an index outside the tree, and an `Error` for a tile that is missing or short. The tiles are
 * believed: a proof from tiles one does not trust is to be verified.
 */
export async function inclusionProof(
  { index, size }: { readonly index: number; readonly size: number },
  readTile: TileReader,
): Promise<readonly Hash[]> {
  return rangeRoots(inclusionRanges({ index, size }), size, readTile)
}

/** The proof that the tree of size `to` begins with that of size `from` (RFC 6962 section 2.1.2). Throws likewise. */
export async function consistencyProof(
  { from, to }: { readonly from: number; readonly to: number },
  readTile: TileReader,
): Promise<readonly Hash[]> {
  return rangeRoots(consistencyRanges({ from, to }), to, readTile)
}

/** The roots of ranges of a tree of this size, read from its tiles. */
export async function rangeRoots(
  ranges: readonly LeafRange[],
  size: number,
  readTile: TileReader,
): Promise<readonly Hash[]> {
  const read = await readHashes(ranges.flatMap(rangeSubtrees), size, readTile)
  return ranges.map((range) => rangeRoot(range, read))
}

type LevelGrowth = { readonly level: number; readonly edge: TreeEdge; readonly incoming: readonly Hash[] }

/** The level's tiles from its partial one on. Full ones are all new; the last may be partial, and the old one. */
function growLevel({ level, edge, incoming }: LevelGrowth): readonly Tile[] {
  const partial = partialTile(edge, level)
  if (incoming.length === 0) return partial.width === 0 ? [] : [partial]
  const hashes = Buffer.concat([partial.hashes, ...incoming])
  return Array.from({ length: Math.ceil(hashes.length / limits.tileBytes) }, (_, i) => {
    const bytes = hashes.subarray(i * limits.tileBytes, (i + 1) * limits.tileBytes)
    return { level, index: partial.index + i, width: bytes.length / hashBytes, hashes: bytes }
  })
}

function partialTile(edge: TreeEdge, level: number): Tile {
  const index = Math.floor(edge.size / limits.tileWidth ** (level + 1))
  const wanted = tileIn(edge.size, { level, index })
  if (wanted.width === 0) return { ...wanted, hashes: new Uint8Array() }
  const found = edge.tiles.find((tile) => tile.level === level && tile.index === index)
  if (found?.hashes.length !== wanted.width * hashBytes) {
    throw new RangeError(`the edge of a tree of size ${edge.size} needs ${tilePath(wanted)}`)
  }
  return { ...wanted, hashes: found.hashes }
}

const tileRoot = (tile: Tile): Hash => completeRoot(splitHashes(tile.hashes))

/** The roots of the complete subtrees over a partial tile's hashes, largest first. */
function tileSubtrees({ width, hashes }: Tile): readonly Hash[] {
  const all = splitHashes(hashes)
  return rangeSubtrees({ begin: 0, end: width }).map(({ level, index }) =>
    completeRoot(all.slice(index * 2 ** level, (index + 1) * 2 ** level)),
  )
}

/** The root over hashes whose number is a power of two. */
function completeRoot(hashes: readonly Hash[]): Hash {
  const [left, right] = hashes
  if (left === undefined) throw new RangeError('a subtree has at least one hash')
  if (right === undefined) return left
  const middle = hashes.length / 2
  return nodeHash(completeRoot(hashes.slice(0, middle)), completeRoot(hashes.slice(middle)))
}

/** Reads the tiles that hold these subtrees, each once and all at the same time. */
async function readHashes(subtrees: readonly Subtree[], size: number, readTile: TileReader): Promise<HashReader> {
  const refs = new Map(subtrees.map((subtree) => tileOf(subtree, size)).map((tile) => [tilePath(tile), tile]))
  const read = async ([path, tile]: [string, TileRef]) => [path, await readExactly(tile, readTile)] as const
  const tiles = new Map(await Promise.all([...refs].map(read)))
  return (subtree) => completeRoot(hashesOf(subtree, tiles.get(tilePath(tileOf(subtree, size))) ?? []))
}

async function readExactly(tile: TileRef, readTile: TileReader): Promise<readonly Hash[]> {
  const bytes = await readTile(tile)
  if (bytes === undefined) throw new Error(`${tilePath(tile)} is missing`)
  if (bytes.length < tile.width * hashBytes) throw new Error(`${tilePath(tile)} is short`)
  return splitHashes(bytes.subarray(0, tile.width * hashBytes))
}

/** A tile holds every eighth level of the tree; a subtree between is hashed from those of the tile level below it. */
const tileHeight = 8

function tileOf({ level, index }: Subtree, size: number): TileRef {
  const first = index * 2 ** (level % tileHeight)
  return tileIn(size, { level: Math.floor(level / tileHeight), index: Math.floor(first / limits.tileWidth) })
}

function hashesOf({ level, index }: Subtree, tile: readonly Hash[]): readonly Hash[] {
  const count = 2 ** (level % tileHeight)
  const first = (index * count) % limits.tileWidth
  return tile.slice(first, first + count)
}
