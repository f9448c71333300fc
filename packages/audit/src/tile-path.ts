/** C2SP tlog-tiles: how hash tiles and entry bundles are named, and which a tree of a given size has. */

import { parseDecimal } from './bytes.ts'
import { limits } from './limits.ts'

/** A tile of hashes. A width of 256 is full, a smaller one partial; a partial tile is a prefix of the wider ones. */
export type TileRef = { readonly level: number; readonly index: number; readonly width: number }

/** A bundle of entries: the leaves under the level 0 tile of the same index and width. */
export type BundleRef = { readonly index: number; readonly width: number }

/** What a path under a log's prefix names. */
export type ResourceRef =
  | ({ readonly kind: 'tile' } & TileRef)
  | ({ readonly kind: 'bundle' } & BundleRef)
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'handovers' }

export const checkpointPath = 'checkpoint'

/** How the log's key came to be what it is. Ours alone: tlog-tiles knows one key for ever. */
export const handoversPath = 'key-handovers'

/** `tile/<L>/<N>[.p/<W>]` (tlog-tiles, section "Merkle Tree"). */
export function tilePath({ level, index, width }: TileRef): string {
  return `tile/${level}/${numberPath(index)}${partialSuffix(width)}`
}

/** `tile/entries/<N>[.p/<W>]` (tlog-tiles, section "Log entries"). */
export function bundlePath({ index, width }: BundleRef): string {
  return `tile/entries/${numberPath(index)}${partialSuffix(width)}`
}

const tilePattern = /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/

/**
 * Reads a path of tlog-tiles, relative to the log's prefix. Each resource has exactly one path, every other text is
 * `undefined`; in particular no path with `..`, an empty element or a leading slash is read.
 */
export function parseResourcePath(path: string): ResourceRef | undefined {
  if (path === checkpointPath) return { kind: 'checkpoint' }
  if (path === handoversPath) return { kind: 'handovers' }
  const [, level, digits, suffix] = tilePattern.exec(path) ?? []
  const index = Number(digits?.replaceAll(/[x/]/g, ''))
  const width = suffix === undefined ? limits.tileWidth : Number(suffix)
  if (level === undefined || !Number.isSafeInteger(index) || width > limits.tileWidth) return undefined
  if (level === 'entries') return bundlePath({ index, width }) === path ? { kind: 'bundle', index, width } : undefined
  const tile = { level: parseDecimal(level) ?? Number.NaN, index, width }
  return tile.level <= 63 && tilePath(tile) === path ? { kind: 'tile', ...tile } : undefined
}

/** The widest tile of this level and index that a tree of this size has. Its width is 0 where it has none. */
export function tileIn(size: number, { level, index }: Omit<TileRef, 'width'>): TileRef {
  const width = hashesAtLevel(size, level) - index * limits.tileWidth
  return { level, index, width: Math.min(Math.max(width, 0), limits.tileWidth) }
}

/** The partial tiles of a tree, level 0 first: what changes next when it grows. Empty levels are left out. */
export function partialTiles(size: number): readonly TileRef[] {
  return levels(size)
    .map((level) => tileIn(size, { level, index: Math.floor(hashesAtLevel(size, level) / limits.tileWidth) }))
    .filter((tile) => tile.width > 0)
}

/**
 * The tiles that a tree of size `to` has and one of size `from` has not, or has narrower, by level and index. From 0
 * this lists the whole tree.
 */
export function* changedTiles({ from, to }: { readonly from: number; readonly to: number }): Generator<TileRef> {
  for (const level of levels(to)) yield* changedAtLevel(level, from, to)
}

/** The bundles that hold the entries `from` up to but without `to`, in a tree of size `to`. */
export function* changedBundles({ from, to }: { readonly from: number; readonly to: number }): Generator<BundleRef> {
  for (const { index, width } of changedAtLevel(0, from, to)) yield { index, width }
}

function* changedAtLevel(level: number, from: number, to: number): Generator<TileRef> {
  const before = hashesAtLevel(from, level)
  const after = hashesAtLevel(to, level)
  if (after <= before) return
  const width = limits.tileWidth
  for (let index = Math.floor(before / width); index * width < after; index++) yield tileIn(to, { level, index })
}

/** Tile levels that hold at least one hash. */
function levels(size: number): readonly number[] {
  const found: number[] = []
  while (hashesAtLevel(size, found.length) > 0) found.push(found.length)
  return found
}

function hashesAtLevel(size: number, level: number): number {
  return Math.floor(size / limits.tileWidth ** level)
}

/** 1234067 is `x001/x234/067`. */
function numberPath(index: number): string {
  const digits = String(index)
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.../g) ?? []
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
}

function partialSuffix(width: number): string {
  return width === limits.tileWidth ? '' : `.p/${width}`
}
