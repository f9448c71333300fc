import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { emptyRoot, leafHash, nodeHash, verifyConsistency, verifyInclusion } from './merkle.ts'
import type { Hash } from './merkle.ts'
import { hex } from './testing/sample-log.ts'
import { changedTiles, partialTiles, tilePath } from './tile-path.ts'
import { consistencyProof, emptyEdge, growTree, inclusionProof, treeRoot } from './tiles.ts'
import type { Tile, TileReader, TreeEdge } from './tiles.ts'

const leaves: readonly Hash[] = Array.from({ length: 70_000 }, (_, i) => leafHash(Buffer.from(String(i))))

function naiveRoot(hashes: readonly Hash[]): Hash {
  let row = hashes
  while (row.length > 1) {
    const next: Hash[] = []
    for (let i = 0; i < row.length; i += 2) {
      const right = row[i + 1]
      next.push(right === undefined ? (row[i] as Hash) : nodeHash(row[i] as Hash, right))
    }
    row = next
  }
  return row[0] ?? emptyRoot
}

/** Rows as in the server's table: one for each level and index, whatever the width. */
function store(): { put: (tiles: readonly Tile[]) => void; edge: (size: number) => TreeEdge; read: TileReader } {
  const rows = new Map<string, Uint8Array>()
  const key = ({ level, index }: { level: number; index: number }): string => `${level}/${index}`
  return {
    put: (tiles) => {
      for (const tile of tiles) rows.set(key(tile), tile.hashes)
    },
    edge: (size) => ({
      size,
      tiles: partialTiles(size).map((tile) => ({ ...tile, hashes: rows.get(key(tile)) ?? new Uint8Array() })),
    }),
    read: async (tile) => rows.get(key(tile)),
  }
}

describe('growing a tree', () => {
  test('in any steps, by an edge read back from the store, gives the root of RFC 6962', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(3), fc.nat(700)), { maxLength: 12 }), (steps) => {
        const rows = store()
        let size = 0
        for (const step of steps) {
          const grown = growTree(rows.edge(size), leaves.slice(size, size + step))
          const changed = [...changedTiles({ from: size, to: size + step })]
          rows.put(grown.tiles)
          size += step
          expect(grown.tiles.map(tilePath)).toEqual(changed.map(tilePath))
          expect(grown.tiles.every((tile) => tile.hashes.length === tile.width * 32)).toBe(true)
          expect(grown.edge).toEqual(rows.edge(size))
          expect(hex(grown.root)).toBe(hex(naiveRoot(leaves.slice(0, size))))
        }
      }),
      { numRuns: 20 },
    )
  })

  test('past 65,536 entries fills a tile of level 2', () => {
    const before = growTree(emptyEdge, leaves.slice(0, 65_535))
    const after = growTree(before.edge, leaves.slice(65_535))
    expect(after.tiles.map(tilePath)).toContain('tile/1/000')
    expect(after.tiles.map(tilePath)).toContain('tile/2/000.p/1')
    expect(hex(after.root)).toBe(hex(naiveRoot(leaves)))
  })

  test('by nothing changes nothing', () => {
    expect(growTree(emptyEdge, [])).toEqual({ size: 0, root: emptyRoot, tiles: [], edge: emptyEdge })
  })

  test('never changes the hashes that a partial tile has', () => {
    const narrow = growTree(emptyEdge, leaves.slice(0, 300))
    const wide = growTree(narrow.edge, leaves.slice(300, 400))
    const [from] = narrow.edge.tiles
    const [to] = wide.tiles
    expect(to?.hashes.subarray(0, from?.hashes.length)).toEqual(from?.hashes)
  })

  test('from an edge that is torn is refused', () => {
    const { edge } = growTree(emptyEdge, leaves.slice(0, 300))
    const torn = (tiles: readonly Tile[]): TreeEdge => ({ size: 300, tiles })
    const message = 'the edge of a tree of size 300 needs tile/0/001.p/44'
    expect(() => growTree(torn(edge.tiles.slice(1)), leaves.slice(0, 1))).toThrow(new RangeError(message))
    expect(() => growTree({ ...edge, size: 301 }, [])).toThrow(RangeError)
    expect(() => growTree({ ...edge, size: Number.MAX_SAFE_INTEGER }, leaves.slice(0, 1))).toThrow(RangeError)
  })
})

describe('proofs from tiles', () => {
  const rows = store()
  rows.put(growTree(emptyEdge, leaves).tiles)
  const size = fc.integer({ min: 1, max: leaves.length })

  test('verify, though the store has grown past the tree they are for', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, async (a, b) => {
        const [from, to] = a < b ? [a, b] : [b, a]
        const later = { size: to, root: await treeRoot(to, rows.read) }
        const earlier = { size: from, root: await treeRoot(from, rows.read) }
        const leaf = leaves[from - 1] as Hash
        const proof = await inclusionProof({ index: from - 1, size: to }, rows.read)
        expect(verifyInclusion({ index: from - 1, leaf, proof, tree: later })).toBe(true)
        const consistency = await consistencyProof({ from, to }, rows.read)
        expect(verifyConsistency({ earlier, later, proof: consistency })).toBe(true)
      }),
      { numRuns: 40 },
    )
    expect(hex(await treeRoot(leaves.length, rows.read))).toBe(hex(naiveRoot(leaves)))
    expect(await treeRoot(0, rows.read)).toEqual(emptyRoot)
  })

  test('name the tile that is missing or short', async () => {
    const proofWith = (bytes: Uint8Array | undefined): Promise<unknown> =>
      inclusionProof({ index: 0, size: 2 }, async () => bytes)
    await expect(proofWith(undefined)).rejects.toThrow('tile/0/000.p/2 is missing')
    await expect(proofWith(new Uint8Array(63))).rejects.toThrow('tile/0/000.p/2 is short')
  })

  test('read each tile once', async () => {
    const read: string[] = []
    await inclusionProof({ index: 5, size: 70_000 }, (tile) => {
      read.push(tilePath(tile))
      return rows.read(tile)
    })
    expect(read.toSorted()).toEqual(['tile/0/000', 'tile/0/273.p/112', 'tile/1/000', 'tile/1/001.p/17'])
  })
})
