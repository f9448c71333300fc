/**
 * RFC 6962 Merkle trees over SHA-256: hashes, roots, and making and verifying proofs.
 *
 * Everything is stated in complete subtrees and ranges of leaves; where the hashes come from is the caller's affair.
 * Verification is total: whatever it is given, it answers true or false.
 */

import { hash } from 'node:crypto'

import { equalBytes } from './bytes.ts'
import { limits } from './limits.ts'

/** 32 bytes. */
export type Hash = Uint8Array

/** The complete subtree over leaves `index * 2^level` to `(index + 1) * 2^level`. At level 0 it is a leaf. */
export type Subtree = { readonly level: number; readonly index: number }

/** Leaves `begin` up to but without `end`. */
export type LeafRange = { readonly begin: number; readonly end: number }

/** The root hash of a complete subtree. */
export type HashReader = (subtree: Subtree) => Hash

/** What a checkpoint says of a tree. */
export type TreeHead = { readonly size: number; readonly root: Hash }

export const hashBytes = 32

const leafPrefix = Uint8Array.of(0)
const nodePrefix = Uint8Array.of(1)

/** The root of the tree without leaves: the hash of nothing (RFC 6962 section 2.1). */
export const emptyRoot: Hash = hash('sha256', new Uint8Array(), 'buffer')

/** SHA-256(0x00 || data) (RFC 6962 section 2.1). */
export function leafHash(data: Uint8Array): Hash {
  return hash('sha256', Buffer.concat([leafPrefix, data]), 'buffer')
}

/** SHA-256(0x01 || left || right) (RFC 6962 section 2.1). */
export function nodeHash(left: Hash, right: Hash): Hash {
  return hash('sha256', Buffer.concat([nodePrefix, left, right]), 'buffer')
}

/**
 * The largest complete subtrees that make up a range, left to right. The range must be a whole tree or a node of one,
 * as those of {@link inclusionRanges} and {@link consistencyRanges} are; then the sizes fall from left to right.
 */
export function rangeSubtrees({ begin, end }: LeafRange): readonly Subtree[] {
  const subtrees: Subtree[] = []
  let from = begin
  let level = levelBelow(end - begin + 1)
  while (from < end) {
    const width = 2 ** level
    if (width <= end - from) {
      subtrees.push({ level, index: from / width })
      from += width
    }
    level -= 1
  }
  return subtrees
}

/** The Merkle tree hash of consecutive complete subtrees of falling size, as {@link rangeSubtrees} lists them. */
export function foldSubtrees(roots: readonly Hash[]): Hash {
  return roots.length === 0 ? emptyRoot : roots.reduceRight((right, left) => nodeHash(left, right))
}

/** The root of a range (RFC 6962 section 2.1); the range is as for {@link rangeSubtrees}. */
export function rangeRoot(range: LeafRange, read: HashReader): Hash {
  return foldSubtrees(rangeSubtrees(range).map(read))
}

/** The ranges whose roots are the inclusion proof, leaf's sibling first (RFC 6962 section 2.1.1). */
export function inclusionRanges({ index, size }: { readonly index: number; readonly size: number }): LeafRange[] {
  assertSize(size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`index ${index} is not in a tree of size ${size}`)
  }
  const ranges: LeafRange[] = []
  let node: LeafRange = { begin: 0, end: size }
  while (node.end - node.begin > 1) {
    const { left, right } = children(node)
    ranges.push(index < left.end ? right : left)
    node = index < left.end ? left : right
  }
  return ranges.toReversed()
}

/**
 * The ranges whose roots are the consistency proof from size `from` to size `to` (RFC 6962 section 2.1.2).
 * There are none where the sizes are equal or `from` is 0: such trees need no proof.
 */
export function consistencyRanges({ from, to }: { readonly from: number; readonly to: number }): LeafRange[] {
  assertSize(from)
  assertSize(to)
  if (from > to) throw new RangeError(`a tree of size ${to} does not contain one of size ${from}`)
  if (from === 0 || from === to) return []
  const ranges: LeafRange[] = []
  let node: LeafRange = { begin: 0, end: to }
  while (node.end !== from) {
    const { left, right } = children(node)
    ranges.push(from <= left.end ? right : left)
    node = from <= left.end ? left : right
  }
  // A node that starts at 0 is the old tree itself, whose root the verifier has.
  if (node.begin !== 0) ranges.push(node)
  return ranges.toReversed()
}

/** A leaf, its place, and the proof that it has that place in the tree. */
export type InclusionClaim = {
  readonly index: number
  readonly leaf: Hash
  readonly proof: readonly Hash[]
  readonly tree: TreeHead
}

/**
 * Whether the proof leads from the leaf to the root (RFC 9162 section 2.1.3.2). Total: an index outside the tree,
 * and a proof with a hash too many, too few, or of another length, are false.
 */
export function verifyInclusion({ index, leaf, proof, tree }: InclusionClaim): boolean {
  if (!isSize(index) || !isSize(tree.size) || index >= tree.size) return false
  if (!areHashes([leaf, tree.root, ...proof.slice(0, limits.proofHashes + 1)])) return false
  let at: Position = { node: index, last: tree.size - 1 }
  let root = leaf
  for (const sibling of proof) {
    if (at.last === 0) return false
    root = isRightChild(at) ? nodeHash(sibling, root) : nodeHash(root, sibling)
    at = parent(at)
  }
  return at.last === 0 && equalBytes(root, tree.root)
}

/** Two trees, and the proof that the later one begins with the earlier. */
export type ConsistencyClaim = {
  readonly earlier: TreeHead
  readonly later: TreeHead
  readonly proof: readonly Hash[]
}

/**
 * Whether the later tree is the earlier one with leaves appended (RFC 9162 section 2.1.4.2). Total. For equal sizes
 * the roots must be equal and the proof empty; an earlier tree of size 0 must have the root of the empty tree.
 */
export function verifyConsistency({ earlier, later, proof }: ConsistencyClaim): boolean {
  if (!isSize(earlier.size) || !isSize(later.size) || earlier.size > later.size) return false
  // The old root also heads the proof where it is a node of the new tree, hence the two.
  if (!areHashes([earlier.root, later.root, ...proof.slice(0, limits.proofHashes + 2)])) return false
  if (earlier.size === later.size) return proof.length === 0 && equalBytes(earlier.root, later.root)
  if (earlier.size === 0) return proof.length === 0 && equalBytes(earlier.root, emptyRoot)
  return verifyGrowth({ earlier, later, proof })
}

function verifyGrowth({ earlier, later, proof }: ConsistencyClaim): boolean {
  const [first, ...rest] = isPowerOfTwo(earlier.size) ? [earlier.root, ...proof] : proof
  if (first === undefined) return false
  let at: Position = { node: earlier.size - 1, last: later.size - 1 }
  while (isOdd(at.node)) at = { node: half(at.node), last: half(at.last) }
  let oldRoot = first
  let newRoot = first
  for (const sibling of rest) {
    if (at.last === 0) return false
    if (isRightChild(at)) oldRoot = nodeHash(sibling, oldRoot)
    newRoot = isRightChild(at) ? nodeHash(sibling, newRoot) : nodeHash(newRoot, sibling)
    at = parent(at)
  }
  return at.last === 0 && equalBytes(oldRoot, earlier.root) && equalBytes(newRoot, later.root)
}

/** A node's place among those of its height, and the place of the last of them. */
type Position = { readonly node: number; readonly last: number }

/** The last node stands on the right whatever its number: where it has no sibling, it moves up until it has. */
const isRightChild = ({ node, last }: Position): boolean => isOdd(node) || node === last

function parent(at: Position): Position {
  let { node, last } = at
  while (isRightChild(at) && node !== 0 && !isOdd(node)) {
    node = half(node)
    last = half(last)
  }
  return { node: half(node), last: half(last) }
}

function children({ begin, end }: LeafRange): { readonly left: LeafRange; readonly right: LeafRange } {
  const middle = begin + 2 ** levelBelow(end - begin)
  return { left: { begin, end: middle }, right: { begin: middle, end } }
}

/** The largest level whose width is below `width`: RFC 6962's `k` is 2 to this power. 0 for widths up to 2. */
function levelBelow(width: number): number {
  let level = 0
  while (2 ** (level + 1) < width) level += 1
  return level
}

/** Sizes go beyond 32 bits, where JavaScript's bit operators cut. */
const half = (n: number): number => Math.floor(n / 2)
const isOdd = (n: number): boolean => n % 2 === 1
const isPowerOfTwo = (n: number): boolean => 2 ** levelBelow(n + 1) === n

function isSize(n: number): boolean {
  return Number.isSafeInteger(n) && n >= 0
}

function assertSize(size: number): void {
  if (!isSize(size)) throw new RangeError(`a tree size is an integer from 0 to ${limits.treeSize}, not ${size}`)
}

function areHashes(hashes: readonly Hash[]): boolean {
  return hashes.every((each) => each instanceof Uint8Array && each.length === hashBytes)
}
