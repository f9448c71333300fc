import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { instant } from '@tidegate/core'
import { describe, expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import { forgetRecording } from './forget.ts'
import type { ForgetOptions } from './forget.ts'
import { listRecordings } from './list.ts'
import type { ListedRecording, ListOptions } from './list.ts'
import { readTombstone, tombstoneDigest } from './read/tombstone.ts'
import { verifyRecording } from './read/verify.ts'
import { commitAll, readAll, sampleEvents, sampleStart, writeRecording } from './testing/sample.ts'

const why = { by: 'user:carol', reason: 'kept for 90 days', at: instant(Date.UTC(2026, 5, 1)) }

describe('forgetting the salts', () => {
  test('leaves a recording that holds, of which nothing can be opened any more, and says who did it and why', async () => {
    const { folder, heads } = await writeRecording(scratchFolder(), sampleEvents(4), { policy: commitAll })
    const head = heads.at(-1)!
    expect(await verifyRecording(folder, { head })).toMatchObject({ ok: true, salts: 'kept' })
    expect(await readAll(folder, { salts: true })).toMatchObject([
      { text: { salt: expect.any(Uint8Array) } },
      {},
      {},
      {},
      {},
      {},
      {},
      {},
    ])
    const { tombstone } = await forgetRecording(folder, { what: 'salts', ...why, head })
    expect(readdirSync(folder).toSorted()).toEqual(['000001.tgrec', 'deleted-salts.json'])
    expect(await verifyRecording(folder, { head })).toMatchObject({
      ok: true,
      state: 'ended',
      salts: 'erased',
      tombstone,
    })
    const [first] = await readAll(folder, { salts: true, head })
    expect(first).toMatchObject({ text: { commitment: expect.stringMatching(/^c1:/) } })
    expect(JSON.stringify(first)).not.toContain('salt')
  })
})

describe('forgetting all', () => {
  const options: ForgetOptions = { what: 'all', ...why }

  test('leaves a gap that is proved: the anchored head is the one that the tombstone tells of', async () => {
    const { folder, heads } = await writeRecording(scratchFolder(), sampleEvents(4), { policy: commitAll })
    const head = heads.at(-1)!
    const { tombstone, digest, wasGone } = await forgetRecording(folder, { ...options, head })
    expect({ wasGone, digest }).toEqual({ wasGone: false, digest: tombstoneDigest(tombstone) })
    expect(tombstone).toMatchObject({ head, anchored: head, files: 2, by: 'user:carol' })
    expect(readdirSync(folder)).toEqual(['deleted-all.json'])
    expect(await verifyRecording(folder, { head, deletion: digest })).toMatchObject({
      ok: true,
      state: 'deleted',
      detail:
        'deleted on 2026-06-01T00:00:00.000Z by user:carol: kept for 90 days. ' +
        'It had 8 events; 8 events in 1 block, to the end of the session, as anchored',
      anchoredEvents: 8,
    })
  })

  test('again is answered with the first tombstone, and finishes what a crash left', async () => {
    const { folder } = await writeRecording(scratchFolder(), sampleEvents(4))
    const kept = readFileSync(join(folder, '000001.tgrec'))
    const first = await forgetRecording(folder, options)
    writeFileSync(join(folder, '000001.tgrec'), kept)
    expect(await verifyRecording(folder)).toMatchObject({
      detail: expect.stringContaining('1 of its files are still there'),
    })
    const second = await forgetRecording(folder, { ...options, by: 'user:mallory' })
    expect(second).toEqual({ ...first, wasGone: true })
    expect(readdirSync(folder)).toEqual(['deleted-all.json'])
  })

  test('of a recording that does not hold says so in the tombstone', async () => {
    const { folder, heads } = await writeRecording(scratchFolder(), sampleEvents(4), { anchorEvery: 2 })
    const file = join(folder, '000001.tgrec')
    writeFileSync(file, readFileSync(file).subarray(0, -100))
    const { tombstone } = await forgetRecording(folder, { ...options, head: heads.at(-1)! })
    expect(tombstone.verdict).toMatch(/^it did not hold \(truncated\): it was cut/)
    expect(await verifyRecording(folder, { head: heads.at(-1)! })).toMatchObject({ ok: true, state: 'deleted' })
  })

  test('without a tombstone is a hole, and a tombstone of another recording fills none', async () => {
    const dir = scratchFolder()
    const { folder, heads } = await writeRecording(dir, sampleEvents(4))
    const other = await writeRecording(dir, sampleEvents(4), { session: 'ses_other' })
    await forgetRecording(other.folder, options)
    rmSync(join(folder, '000001.tgrec'))
    expect(await verifyRecording(folder, { head: heads.at(-1)! })).toMatchObject({ ok: false, reason: 'missing' })
    writeFileSync(join(folder, 'deleted-all.json'), readFileSync(join(other.folder, 'deleted-all.json')))
    expect(await verifyRecording(folder, { head: heads.at(-1)! })).toMatchObject({ ok: false, reason: 'rewritten' })
    writeFileSync(join(folder, 'deleted-all.json'), '{"what":"all"}')
    expect(await verifyRecording(folder, { head: heads.at(-1)! })).toMatchObject({ ok: false, reason: 'unreadable' })
  })

  test('changes the digest with anything that is changed in the tombstone', async () => {
    const { folder } = await writeRecording(scratchFolder(), sampleEvents(1))
    const { digest } = await forgetRecording(folder, options)
    const path = join(folder, 'deleted-all.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('carol', 'dora'))
    expect(tombstoneDigest((await readTombstone(folder, 'all'))!)).not.toBe(digest)
    expect(await verifyRecording(folder, { deletion: digest })).toMatchObject({ ok: false, reason: 'rewritten' })
    expect(await verifyRecording(folder)).toMatchObject({
      detail: expect.stringMatching(/the word of the tombstone alone$/),
    })
  })
})

describe('a list of recordings', () => {
  const list = async (dir: string, options: ListOptions = {}): Promise<ListedRecording[]> => {
    const listed = []
    for await (const one of listRecordings(dir, options)) listed.push(one)
    return listed
  }

  test('has each recording and each deleted one, and passes over whatever else is there', async () => {
    const dir = scratchFolder()
    await writeRecording(dir, sampleEvents(1), { session: 'ses_1', policy: commitAll })
    const gone = await writeRecording(dir, sampleEvents(1), { session: 'ses_2' })
    await forgetRecording(gone.folder, { what: 'all', ...why })
    for (const junk of [
      'x',
      '2026/x',
      '2026/13/01/ses_a',
      '2026/03/01/ses_empty',
      '2026/03/01/UPPER',
      '2026/02/31/ses_b',
    ]) {
      mkdirSync(join(dir, junk), { recursive: true })
      writeFileSync(join(dir, junk, '1.tgrec'), '')
    }
    writeFileSync(join(dir, '2026', '03', '01', 'file'), '')
    writeFileSync(join(dir, '2027'), '')
    expect((await list(dir)).toSorted((a, b) => a.session.localeCompare(b.session))).toMatchObject([
      { session: 'ses_1', segments: 1, hasSalts: true, isDeleted: false, day: Date.UTC(2026, 2, 1) },
      { session: 'ses_2', segments: 0, bytes: 0, isDeleted: true },
    ])
    expect(await list(join(dir, 'nowhere'))).toEqual([])
  })

  test('by age has those whose day was over', async () => {
    const dir = scratchFolder()
    const { folder } = await writeRecording(dir, sampleEvents(1))
    const midnight = Date.UTC(2026, 2, 2)
    expect(await list(dir, { before: sampleStart })).toEqual([])
    expect(await list(dir, { before: instant(midnight - 1) })).toEqual([])
    expect((await list(dir, { before: instant(midnight) })).map((one) => one.folder)).toEqual([folder])
    expect(existsSync(folder)).toBe(true)
  })
})
