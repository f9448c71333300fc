import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import {
  consistencyRanges,
  emptyRoot,
  inclusionRanges,
  leafHash,
  nodeHash,
  rangeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'
import type { ConsistencyClaim, Hash, HashReader, InclusionClaim, LeafRange, TreeHead } from './merkle.ts'
import { flipBit, hex, unhex } from './testing/sample-log.ts'

/** The definitions of RFC 6962 section 2.1, word for word. */
function MTH(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return emptyRoot
  if (leaves.length === 1) return leaves[0] as Hash
  const k = split(leaves.length)
  return nodeHash(MTH(leaves.slice(0, k)), MTH(leaves.slice(k)))
}
function PATH(m: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length <= 1) return []
  const k = split(leaves.length)
  if (m < k) return [...PATH(m, leaves.slice(0, k)), MTH(leaves.slice(k))]
  return [...PATH(m - k, leaves.slice(k)), MTH(leaves.slice(0, k))]
}
function SUBPROOF(m: number, leaves: readonly Hash[], whole: boolean): Hash[] {
  if (m === leaves.length) return whole ? [] : [MTH(leaves)]
  const k = split(leaves.length)
  if (m <= k) return [...SUBPROOF(m, leaves.slice(0, k), whole), MTH(leaves.slice(k))]
  return [...SUBPROOF(m - k, leaves.slice(k), false), MTH(leaves.slice(0, k))]
}
function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

const numbered = (count: number): readonly Hash[] =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)))

const reader =
  (leaves: readonly Hash[]): HashReader =>
  ({ level, index }) =>
    MTH(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))
const roots = (ranges: readonly LeafRange[], leaves: readonly Hash[]): readonly Hash[] =>
  ranges.map((range) => rangeRoot(range, reader(leaves)))
const headOf = (leaves: readonly Hash[]): TreeHead => ({ size: leaves.length, root: MTH(leaves) })

function inclusionOf(index: number, leaves: readonly Hash[]): InclusionClaim {
  const proof = roots(inclusionRanges({ index, size: leaves.length }), leaves)
  return { index, leaf: leaves[index] as Hash, proof, tree: headOf(leaves) }
}
function consistencyOf(from: number, leaves: readonly Hash[]): ConsistencyClaim {
  const proof = roots(consistencyRanges({ from, to: leaves.length }), leaves)
  return { earlier: headOf(leaves.slice(0, from)), later: headOf(leaves), proof }
}

describe('the vectors of Certificate Transparency', () => {
  const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
    .map(unhex)
    .map(leafHash)

  test.each([
    [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
    [2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
    [3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
    [4, 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'],
    [5, '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
    [6, '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'],
    [7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
    [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
  ])('give the root of %i leaves', (size, root) => {
    expect(hex(rangeRoot({ begin: 0, end: size }, reader(leaves)))).toBe(root)
  })

  test('give the inclusion proof of the first of eight', () => {
    expect(inclusionOf(0, leaves).proof.map(hex)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ])
  })

  test('give the consistency proof from six to eight', () => {
    expect(consistencyOf(6, leaves).proof.map(hex)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ])
  })
})

describe('for every size to 130', () => {
  const all = numbered(130)
  const sizes = Array.from({ length: 130 }, (_, i) => i + 1)

  test('some inclusion proofs are those of RFC 6962, and all verify', () => {
    for (const size of sizes) {
      const leaves = all.slice(0, size)
      for (const index of new Set([0, 1, size >> 1, size - 2, size - 1].filter((i) => i >= 0 && i < size))) {
        const claim = inclusionOf(index, leaves)
        expect(claim.proof).toEqual(PATH(index, leaves))
        expect(verifyInclusion(claim)).toBe(true)
      }
    }
  })

  test('some consistency proofs are those of RFC 6962, and all verify', () => {
    for (const size of sizes) {
      const leaves = all.slice(0, size)
      for (const from of new Set([1, 2, size >> 1, split(size), size - 1, size].filter((n) => n > 0 && n <= size))) {
        const claim = consistencyOf(from, leaves)
        expect(claim.proof).toEqual(SUBPROOF(from, leaves, true))
        expect(verifyConsistency(claim)).toBe(true)
      }
    }
  })
})

describe('a tree beyond 32 bits', () => {
  /** All leaves are alike, so each complete subtree of a level has the same root. */
  const uniform: Hash[] = [leafHash(Buffer.from('same'))]
  for (let level = 1; level <= 53; level++)
    uniform.push(nodeHash(uniform[level - 1] as Hash, uniform[level - 1] as Hash))
  const read: HashReader = ({ level }) => uniform[level] as Hash
  const size = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

  test('has proofs that verify', () => {
    fc.assert(
      fc.property(size, size, (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a]
        const head = (end: number): TreeHead => ({ size: end, root: rangeRoot({ begin: 0, end }, read) })
        const consistency = consistencyRanges({ from, to }).map((range) => rangeRoot(range, read))
        expect(verifyConsistency({ earlier: head(from), later: head(to), proof: consistency })).toBe(true)
        const proof = inclusionRanges({ index: from - 1, size: to }).map((range) => rangeRoot(range, read))
        const claim = { index: from - 1, leaf: uniform[0] as Hash, proof, tree: head(to) }
        expect(verifyInclusion(claim)).toBe(true)
        expect(verifyInclusion({ ...claim, proof: [...proof, emptyRoot] })).toBe(false)
      }),
    )
  })
})

describe('a proof that is wrong in any way', () => {
  const leaves = numbered(70)
  const place = fc.record({ size: fc.integer({ min: 1, max: 70 }), seed: fc.nat(), bit: fc.nat(255) })

  test('does not show inclusion', () => {
    fc.assert(
      fc.property(place, ({ size, seed, bit }) => {
        const claim = inclusionOf(seed % size, leaves.slice(0, size))
        const wrong: InclusionClaim[] = [
          ...brokenProofs(claim.proof, bit).map((proof) => ({ ...claim, proof })),
          { ...claim, leaf: flipBit(claim.leaf, bit) },
          { ...claim, leaf: claim.leaf.subarray(1) },
          { ...claim, tree: { ...claim.tree, root: flipBit(claim.tree.root, bit) } },
          { ...claim, tree: { size: 0, root: emptyRoot } },
          ...[-1, 0.5, Number.NaN, size, 2 ** 53, claim.index ^ 1].map((index) => ({ ...claim, index })),
        ]
        for (const each of wrong) expect(verifyInclusion(each)).toBe(false)
      }),
    )
  })

  test('does not show consistency', () => {
    fc.assert(
      fc.property(place, ({ size, seed, bit }) => {
        const claim = consistencyOf((seed % size) + 1, leaves.slice(0, size))
        const wrong: ConsistencyClaim[] = [
          ...brokenProofs(claim.proof, bit).map((proof) => ({ ...claim, proof })),
          { ...claim, earlier: { ...claim.earlier, root: flipBit(claim.earlier.root, bit) } },
          { ...claim, later: { ...claim.later, root: flipBit(claim.later.root, bit) } },
          { ...claim, earlier: { ...claim.earlier, size: size + 1 } },
          { ...claim, earlier: { ...claim.earlier, size: 0 } },
          { ...claim, earlier: { ...claim.earlier, size: Number.NaN } },
        ]
        for (const each of wrong) expect(verifyConsistency(each)).toBe(false)
      }),
    )
  })

  test('shows nothing of a tree of another size, even where its hashes lead to the root', () => {
    const inclusion = inclusionOf(0, leaves.slice(0, 8))
    const consistency = consistencyOf(2, leaves.slice(0, 8))
    for (const size of [4, 16]) {
      const { tree } = inclusion
      expect(verifyInclusion({ ...inclusion, tree: { ...tree, size } })).toBe(false)
      expect(verifyConsistency({ ...consistency, later: { ...tree, size } })).toBe(false)
    }
  })

  test('shows nothing on the right edge of a smaller tree, where every further hash would fit on the left', () => {
    const inclusion = inclusionOf(7, leaves.slice(0, 8))
    expect(verifyInclusion({ ...inclusion, index: 3, tree: { ...inclusion.tree, size: 4 } })).toBe(false)
    const { earlier, later, proof } = consistencyOf(7, leaves.slice(0, 8))
    expect(verifyConsistency({ earlier: { ...earlier, size: 3 }, later: { ...later, size: 4 }, proof })).toBe(false)
  })

  test('is nothing at all from the empty tree, whose root is known', () => {
    const earlier = { size: 0, root: emptyRoot }
    const later = headOf(leaves)
    expect(verifyConsistency({ earlier, later, proof: [] })).toBe(true)
    expect(verifyConsistency({ earlier, later: earlier, proof: [] })).toBe(true)
    expect(verifyConsistency({ earlier, later, proof: [emptyRoot] })).toBe(false)
    expect(verifyConsistency({ earlier: { size: 0, root: later.root }, later, proof: [] })).toBe(false)
  })

  test('cannot be asked for where there is none', () => {
    expect(() => inclusionRanges({ index: 3, size: 3 })).toThrow('index 3 is not in a tree of size 3')
    expect(() => inclusionRanges({ index: 0, size: 0 })).toThrow(RangeError)
    expect(() => consistencyRanges({ from: 4, to: 3 })).toThrow(RangeError)
    expect(() => consistencyRanges({ from: -1, to: 3 })).toThrow(RangeError)
  })
})

function brokenProofs(proof: readonly Hash[], bit: number): readonly (readonly Hash[])[] {
  const extended = [[...proof, emptyRoot], [emptyRoot, ...proof], Array.from({ length: 1_000 }, () => emptyRoot)]
  const [first, second] = proof
  if (first === undefined) return extended
  return [
    ...extended,
    proof.slice(1),
    proof.slice(0, -1),
    [flipBit(first, bit), ...proof.slice(1)],
    [first.subarray(1), ...proof.slice(1)],
    ...(second === undefined ? [] : [[second, first, ...proof.slice(2)]]),
  ]
}
