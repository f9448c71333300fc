/**
 * The verifier: is this published log whole, unaltered, and the same one as before?
 *
 * It trusts the verifier key it is given and, where there is one, the earlier checkpoint, and nothing that it reads. Where
 * the log has changed its key since, it goes from the one it is given to the one that signs now.
 * Memory is bounded by `limits.bundlesAhead` bundles whatever the size of the log.
 */

import { equalBytes } from './bytes.ts'
import { openCheckpoint } from './checkpoint.ts'
import type { Checkpoint, CheckpointProblem } from './checkpoint.ts'
import { decodeEntry } from './entry.ts'
import { isSignedBy, keyChangeOf } from './handover.ts'
import type { Handover } from './handover.ts'
import { limits } from './limits.ts'
import { judgeKeys } from './log-keys.ts'
import type { KeyProblem, PlacedChange } from './log-keys.ts'
import { emptyRoot, leafHash } from './merkle.ts'
import type { Hash, TreeHead } from './merkle.ts'
import { formatVerifierKey, parseVerifierKey } from './note.ts'
import type { VerifierKey } from './note.ts'
import { failure } from './outcome.ts'
import type { Failure, Outcome } from './outcome.ts'
import { readCheckpoint, readPublishedBundle, readPublishedTile } from './published.ts'
import type { PublishedBundle, ReadProblem } from './published.ts'
import { readAhead } from './read-ahead.ts'
import type { LogSource } from './source.ts'
import { bundlePath, changedBundles, tilePath } from './tile-path.ts'
import type { BundleRef } from './tile-path.ts'
import { edgeRoot, emptyEdge, growTree, splitHashes } from './tiles.ts'
import type { Tile, TreeEdge } from './tiles.ts'

export type VerifyLogOptions = {
  readonly source: LogSource
  readonly vkey: string
  /** A checkpoint note by the same key, or one after it, that one already trusts. Absent: the log is held only against itself. */
  readonly earlier?: string
}

export type LogProblem =
  | CheckpointProblem
  | ReadProblem
  | KeyProblem
  | 'malformed-key'
  /** The earlier checkpoint is not one by this key. */
  | 'malformed-earlier'
  /** The log is smaller than it was. */
  | 'shrunk'
  /** The log does not begin with what it was. */
  | 'forked'
  | 'malformed-tile'
  | 'malformed-bundle'
  | 'malformed-entry'
  /** An entry is not the one its leaf hash was made from, and the log is not the one its checkpoint signs. */
  | 'entry-mismatch'
  /** The entries are as signed, but a published tile is not theirs. */
  | 'tile-mismatch'
  /** Entries and leaf hashes agree, but they are not what the checkpoint signs. */
  | 'root-mismatch'

export type LogVerdict =
  | {
      readonly ok: true
      readonly size: number
      readonly root: Hash
      /** The checkpoint note, to be kept as the next `earlier`. */
      readonly checkpoint: string
      /** Verifier keys: the one that was given, and those after it. The last one signs now. */
      readonly keys: readonly string[]
    }
  | (Failure<LogProblem> & {
      /** An entry that is bad or could not be read, the first in its bundle; absent where no one entry is at fault. */
      readonly index?: number
    })

/**
 * Reads a whole log and recomputes every leaf, every tile and the root. Never throws.
 *
 * `ok` means: the key signed a tree of exactly these entries, each in canonical form, the published tiles are its
 * tiles, and it begins with the tree of the earlier checkpoint. Where that is not the key that was given, each key from
 * there on signed a beginning of this tree in which an entry names the next one.
 */
export async function verifyLog({ source, vkey, earlier }: VerifyLogOptions): Promise<LogVerdict> {
  const key = parseVerifierKey(vkey)
  if (key === undefined) return failure('malformed-key', 'the verifier key is not an Ed25519 vkey')
  const published = await readCheckpoint(source, key)
  if (!published.ok) return published
  const { checkpoint, note } = published
  const handovers = published.handovers.filter(({ tree }) => tree.size <= checkpoint.size)
  const anchor = openEarlier(earlier, [key, ...published.handovers.map(({ to }) => to)], checkpoint)
  if (!anchor.ok) return anchor
  const sizes = [anchor.size, ...handovers.map(({ tree }) => tree.size)]
  const scan = await scanLog(source, checkpoint.size, sizes)
  if (!scan.ok) return scan
  const bad = judge(scan, { checkpoint, anchor, handovers })
  if (bad) return bad
  const judged = judgeKeys({ key, changes: scan.changes, handovers, note })
  if (!judged.ok) return judged
  const { size, root } = checkpoint
  return { ok: true, size, root, checkpoint: note, keys: judged.keys.map(formatVerifierKey) }
}

/** The tree that the log must begin with; without an earlier checkpoint the empty one, which all logs begin with. */
function openEarlier(
  note: string | undefined,
  keys: readonly [VerifierKey, ...VerifierKey[]],
  now: Checkpoint,
): Outcome<TreeHead, 'malformed-earlier' | 'shrunk'> {
  if (note === undefined) return { ok: true, size: 0, root: emptyRoot }
  const [first] = keys
  const opened = openCheckpoint(note, keys.find((key) => isSignedBy(note, key)) ?? first)
  if (!opened.ok) return failure('malformed-earlier', `the earlier checkpoint is refused: ${opened.detail}`)
  const { size, root } = opened.checkpoint
  if (size > now.size) return failure('shrunk', `the log had ${size} entries and now has ${now.size}`)
  return { ok: true, size, root }
}

/** The first hash at which a published tile differs from the recomputed one; `position` counts within the level. */
type Mismatch = { readonly path: string; readonly level: number; readonly position: number }

/** What reading the whole log found. A mismatch is judged at the end, when it is known if the entries are right. */
type Scan = {
  readonly root: Hash
  /** The roots of as many recomputed leaves as what it must begin with has. */
  readonly rootAt: (size: number) => Hash
  readonly changes: readonly PlacedChange[]
  readonly mismatch: Mismatch | undefined
}

type ScanProblem = ReadProblem | 'malformed-tile' | 'malformed-bundle' | 'malformed-entry' | 'entry-mismatch'
type ScanFailure = Failure<ScanProblem> & { readonly index?: number }
type Scanned<Found extends object> = ({ readonly ok: true } & Found) | ScanFailure

async function scanLog(source: LogSource, size: number, sizes: readonly number[]): Promise<Scanned<Scan>> {
  let edge: TreeEdge = emptyEdge
  const roots = new Map<number, Hash>()
  const changes: PlacedChange[] = []
  let mismatch: Mismatch | undefined
  const load = (bundle: BundleRef): Promise<Scanned<Leaves>> => loadLeaves(source, bundle)
  for await (const loaded of readAhead(changedBundles({ from: 0, to: size }), limits.bundlesAhead, load)) {
    if (!loaded.ok) return loaded
    const { leaves } = loaded
    changes.push(...loaded.changes)
    for (const at of sizes) {
      if (edge.size < at && at <= edge.size + leaves.length)
        roots.set(at, growTree(edge, leaves.slice(0, at - edge.size)).root)
    }
    const grown = growTree(edge, leaves)
    edge = grown.edge
    const compared = await compareTiles(source, grown.tiles.filter(isFull))
    if (!compared.ok) return compared
    mismatch ??= loaded.mismatch ?? compared.mismatch
  }
  const compared = await compareTiles(source, edge.tiles)
  if (!compared.ok) return compared
  const rootAt = (at: number): Hash => roots.get(at) ?? emptyRoot
  return { ok: true, root: edgeRoot(edge), rootAt, changes, mismatch: mismatch ?? compared.mismatch }
}

type Leaves = {
  readonly leaves: readonly Hash[]
  readonly changes: readonly PlacedChange[]
  readonly mismatch: Mismatch | undefined
}

/** Reads a bundle and the level 0 tile over it, and holds each against the other. */
async function loadLeaves(source: LogSource, bundle: BundleRef): Promise<Scanned<Leaves>> {
  const first = bundle.index * limits.tileWidth
  const tile = { level: 0, ...bundle }
  const [content, published] = await Promise.all([readPublishedBundle(source, bundle), readPublishedTile(source, tile)])
  if (!content.ok) return { ...content, index: first }
  if (!published.ok) return published
  const leaves = content.entries.map(leafHash)
  const differs = firstDifference(leaves, published.hashes)
  const { unreadable, changes } = readContent(content, first)
  if (unreadable === undefined) {
    const mismatch = differs === undefined ? undefined : { path: tilePath(tile), level: 0, position: first + differs }
    return { ok: true, leaves, changes, mismatch }
  }
  if (differs !== undefined && differs <= unreadable) return badEntry('entry-mismatch', first + differs)
  return unreadable < content.entries.length
    ? badEntry('malformed-entry', first + unreadable)
    : malformedBundle(bundle, first + unreadable)
}

type Content = {
  /** The position of the first entry that is not canonical, or that the bundle breaks off at. */
  readonly unreadable: number | undefined
  readonly changes: readonly PlacedChange[]
}

function readContent({ entries, whole }: PublishedBundle, first: number): Content {
  const changes: PlacedChange[] = []
  for (const [position, bytes] of entries.entries()) {
    const decoded = decodeEntry(bytes)
    if (!decoded.ok) return { unreadable: position, changes }
    const change = keyChangeOf(decoded.entry)
    if (change) changes.push({ ...change, index: first + position })
  }
  return { unreadable: whole ? undefined : entries.length, changes }
}

function firstDifference(own: readonly Hash[], published: readonly Hash[]): number | undefined {
  const found = own.findIndex((hash, i) => !equalBytes(hash, published[i] ?? emptyRoot))
  return found < 0 ? undefined : found
}

/** Compares recomputed tiles above level 0 with the published ones. Level 0 is compared with its bundle. */
async function compareTiles(
  source: LogSource,
  tiles: readonly Tile[],
): Promise<Scanned<{ readonly mismatch: Mismatch | undefined }>> {
  for (const tile of tiles.filter(({ level }) => level > 0)) {
    const published = await readPublishedTile(source, tile)
    if (!published.ok) return published
    const differs = firstDifference(splitHashes(tile.hashes), published.hashes)
    if (differs === undefined) continue
    const position = tile.index * limits.tileWidth + differs
    return { ok: true, mismatch: { path: tilePath(tile), level: tile.level, position } }
  }
  return { ok: true, mismatch: undefined }
}

type Judging = {
  readonly checkpoint: Checkpoint
  readonly anchor: TreeHead
  readonly handovers: readonly Handover[]
}

/** The root decides: where the entries are those that were signed, a tile that differs is the tile's own fault. */
function judge(
  { root, rootAt, mismatch }: Scan,
  { checkpoint, anchor, handovers }: Judging,
): Exclude<LogVerdict, { readonly ok: true }> | undefined {
  if (!equalBytes(root, checkpoint.root)) return rootMismatch(mismatch)
  if (!equalBytes(rootAt(anchor.size), anchor.root)) {
    return failure('forked', `the log's first ${anchor.size} entries are not those of the earlier checkpoint`)
  }
  const other = handovers.find(({ tree }) => !equalBytes(rootAt(tree.size), tree.root))
  if (other !== undefined) {
    const { size } = other.tree
    return failure('forked', `the log's first ${size} entries are not those under which its key was handed over`)
  }
  if (mismatch === undefined) return undefined
  return failure('tile-mismatch', `${mismatch.path} is not of this tree, at hash ${mismatch.position} of its level`)
}

function rootMismatch(mismatch: Mismatch | undefined): Exclude<LogVerdict, { readonly ok: true }> {
  if (mismatch === undefined)
    return failure('root-mismatch', 'entries and tiles agree, but the checkpoint signs others')
  if (mismatch.level === 0) return badEntry('entry-mismatch', mismatch.position)
  const width = limits.tileWidth ** mismatch.level
  const begin = mismatch.position * width
  return failure(
    'root-mismatch',
    `the checkpoint signs other entries; by ${mismatch.path} the first are among ${begin} to ${begin + width - 1}`,
  )
}

function malformedBundle(bundle: BundleRef, index: number): ScanFailure {
  return { ...failure('malformed-bundle', `${bundlePath(bundle)} is malformed, from entry ${index} on`), index }
}

const badEntryDetails = {
  'malformed-entry': 'is not a canonical entry',
  'entry-mismatch': 'is not the one that its leaf hash was made from',
} as const

function badEntry<Reason extends keyof typeof badEntryDetails>(
  reason: Reason,
  index: number,
): Failure<Reason> & { readonly index: number } {
  return { ...failure(reason, `entry ${index} ${badEntryDetails[reason]}`), index }
}

const isFull = ({ width }: Tile): boolean => width === limits.tileWidth
