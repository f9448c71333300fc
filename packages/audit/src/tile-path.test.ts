import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { bundlePath, changedBundles, changedTiles, parseResourcePath, partialTiles, tilePath } from './tile-path.ts'

describe('a tile path', () => {
  test.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 1, index: 1_234_067, width: 256 }, 'tile/1/x001/x234/067'],
    [{ level: 63, index: 1_000, width: 1 }, 'tile/63/x001/000.p/1'],
    [{ level: 2, index: Number.MAX_SAFE_INTEGER, width: 255 }, 'tile/2/x009/x007/x199/x254/x740/991.p/255'],
  ])('of %j is %s', (tile, path) => {
    expect(tilePath(tile)).toBe(path)
    expect(parseResourcePath(path)).toEqual({ kind: 'tile', ...tile })
  })

  test('of a bundle has entries for a level', () => {
    expect(bundlePath({ index: 273, width: 112 })).toBe('tile/entries/273.p/112')
    expect(parseResourcePath('tile/entries/273.p/112')).toEqual({ kind: 'bundle', index: 273, width: 112 })
  })

  test.each([
    '',
    '/checkpoint',
    'checkpoint/',
    'tile/0',
    'tile/64/000',
    'tile/00/000',
    'tile/-1/000',
    'tile/0/0',
    'tile/0/1000',
    'tile/0/x000/001',
    'tile/0/x001/x234/x067',
    'tile/0/001/234',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/257',
    'tile/entries/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/',
    'tile/0/000\n',
    'tile/0/../000',
    'tile/0/../../checkpoint',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/entries/٠٠٠',
    'tile/ENTRIES/000',
  ])('is not %j', (path) => {
    expect(parseResourcePath(path)).toBeUndefined()
  })

  test('has one text per resource', () => {
    const near = fc.stringMatching(/^tile\/(entries|[0-9]{1,2})\/(x[0-9]{3}\/){0,6}[0-9]{3}(\.p\/[0-9]{1,3})?$/)
    fc.assert(
      fc.property(near, (path) => {
        const found = parseResourcePath(path)
        if (found?.kind === 'tile') expect(tilePath(found)).toBe(path)
        if (found?.kind === 'bundle') expect(bundlePath(found)).toBe(path)
      }),
    )
  })
})

describe('the tiles of a tree', () => {
  test('of 70,000 entries are those that the specification lists', () => {
    const tiles = [...changedTiles({ from: 0, to: 70_000 })]
    const count = (level: number, full: boolean): number =>
      tiles.filter((tile) => tile.level === level && (tile.width === 256) === full).length
    expect([count(0, true), count(0, false), count(1, true), count(1, false), count(2, false)]).toEqual([
      273, 1, 1, 1, 1,
    ])
    expect(partialTiles(70_000).map(tilePath)).toEqual(['tile/0/273.p/112', 'tile/1/001.p/17', 'tile/2/000.p/1'])
    expect(tiles).toHaveLength(277)
  })

  test('of 256 entries are a full one and one above it', () => {
    expect([...changedTiles({ from: 0, to: 256 })].map(tilePath)).toEqual(['tile/0/000', 'tile/1/000.p/1'])
  })

  test('of no entries are none', () => {
    expect([...changedTiles({ from: 0, to: 0 })]).toEqual([])
    expect(partialTiles(0)).toEqual([])
  })

  test('that change as it grows are the widened and the new', () => {
    const paths = [...changedTiles({ from: 250, to: 520 })].map(tilePath)
    expect(paths).toEqual(['tile/0/000', 'tile/0/001', 'tile/0/002.p/8', 'tile/1/000.p/2'])
    expect([...changedTiles({ from: 520, to: 520 })]).toEqual([])
    expect([...changedBundles({ from: 256, to: 257 })]).toEqual([{ index: 1, width: 1 }])
  })
})
