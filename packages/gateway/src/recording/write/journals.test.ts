import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { encodeAppended, journalFolder, journalMagic, journalName } from '../format/journal.ts'
import type { Head } from '../format/head.ts'
import { recordingFolder, saltsName, segmentName } from '../format/place.ts'
import { recorderLimits } from '../limits.ts'
import { putBackJournals } from '../put-back.ts'
import { verifyRecording } from '../read/verify.ts'
import { blockMaker, turnOf } from '../testing/blocks.ts'
import { commitAll, sampleSession, sampleStart } from '../testing/sample.ts'
import type { Block } from './block-builder.ts'
import type { DiskTurn } from './disk.ts'
import { createDiskWork } from './disk-work.ts'
import type { DiskLimits } from './disk-work.ts'

const sessions = ['ses_1', 'ses_2', 'ses_3'] as const
type Session = (typeof sessions)[number]

/** Each with a file that was synced, and salts. */
function bench(limits: Partial<DiskLimits> = {}) {
  const dir = scratchFolder()
  const work = createDiskWork({ dir, limits: { ...recorderLimits, ...limits } })
  const block = blockMaker(commitAll)
  const folder = (session: string, root = dir): string => recordingFolder(root, session, sampleStart)
  const place = (session: string) => ({
    folder: folder(session),
    header: { ...sampleSession(session), policy: commitAll },
  })
  const files = sessions.flatMap((session) => [segmentName(1), saltsName(1)].map((name) => join(folder(session), name)))
  /** All of them, and then it is safe. @returns where each recording is */
  const write = (statements: number, more: Partial<DiskTurn> = {}, isFirst = false): Head[] => {
    const turn = turnOf([block(statements)], more)
    const orders = sessions.map((session, i) => ({ recording: i, turn, ...(isFirst && { place: place(session) }) }))
    return work.obey(orders).map((outcome) => {
      if (outcome === undefined || !('head' in outcome)) throw new Error(outcome?.fault)
      return outcome.head
    })
  }
  write(1, {}, true)
  const synced = files.map((file) => statSync(file).size)
  const journals = (root = dir): string[] =>
    existsSync(join(root, journalFolder)) ? readdirSync(join(root, journalFolder)) : []
  return { dir, work, folder, files, synced, write, journals }
}

async function holds(folder: (session: Session) => string, heads: readonly Head[]): Promise<boolean[]> {
  const verdicts = sessions.map((session, i) => verifyRecording(folder(session), { head: heads[i]! }))
  return (await Promise.all(verdicts)).map(({ ok }) => ok)
}
const allHold = sessions.map(() => true)

test('what a power failure leaves of the files is put back as it was said to be, wherever each was cut', async () => {
  const { dir, folder, files, synced, write } = bench()
  for (const statements of [3, 1, 7]) write(statements)
  const heads = write(2)
  const whole = files.map((file) => statSync(file).size)
  const cuts = fc.tuple(...files.map((_, i) => fc.integer({ min: synced[i]!, max: whole[i]! })))
  await fc.assert(
    fc.asyncProperty(cuts, async (sizes) => {
      const after = scratchFolder()
      cpSync(dir, after, { recursive: true })
      const there = files.map((file) => file.replace(dir, after))
      for (const [i, file] of there.entries()) truncateSync(file, sizes[i])
      const missing = whole.reduce((sum, size, i) => sum + size - sizes[i]!, 0)
      expect(await putBackJournals(after)).toBe(missing)
      expect(there.map((file) => readFileSync(file))).toEqual(files.map((file) => readFileSync(file)))
      expect(await holds((session) => folder(session, after), heads)).toEqual(allHold)
      expect(readdirSync(join(after, journalFolder))).toEqual([])
    }),
    { numRuns: 25 },
  )
})

test('without its journal such a recording does not hold', async () => {
  const { dir, folder, files, synced, write } = bench()
  const heads = write(2)
  rmSync(join(dir, journalFolder), { recursive: true })
  for (const [i, file] of files.entries()) truncateSync(file, synced[i])
  expect(await putBackJournals(dir)).toBe(0)
  expect(await holds(folder, heads)).toEqual(sessions.map(() => false))
})

test('of a journal that breaks off what is whole is put back, and nothing else', async () => {
  const { dir, folder, files, synced, write, journals } = bench()
  const heads = write(4)
  const sizes = files.map((file) => statSync(file).size)
  const [name] = journals() as [string]
  const first = statSync(join(dir, journalFolder, name)).size
  write(2)
  const journal = readFileSync(join(dir, journalFolder, name))
  for (let end = 0; end <= journal.length; end += end < first - 40 ? 97 : 1) {
    for (const [i, file] of files.entries()) truncateSync(file, synced[i])
    writeFileSync(join(dir, journalFolder, name), journal.subarray(0, end))
    await putBackJournals(dir)
    if (end < first) expect(files.map((file) => statSync(file).size)).toEqual(synced)
    else if (end < journal.length) expect(files.map((file) => statSync(file).size)).toEqual(sizes)
    if (end >= first) expect(await holds(folder, heads)).toEqual(allHold)
  }
})

test('a journal goes when the files are synced, and not before', () => {
  const { work, write, journals } = bench({ journalBytes: 1 })
  write(1)
  work.tidy(0)
  write(1)
  expect(journals()).toEqual([journalName(1), journalName(2)])
  work.tidy(Infinity)
  work.tidy(Infinity)
  expect(journals()).toEqual([])
  write(1)
  expect(journals()).toEqual([journalName(3)])
})

test('a journal that is old goes as well', () => {
  const { work, write, journals } = bench({ journalMs: 0 })
  write(1)
  work.tidy(Infinity)
  expect(journals()).toEqual([])
})

test('where all sessions are over nothing is left of them beside their recordings', async () => {
  const { folder, write, journals } = bench()
  write(5)
  expect(journals()).toHaveLength(1)
  const heads = write(1, { ends: sampleStart })
  expect(journals()).toEqual([])
  expect(await holds(folder, heads)).toEqual(allHold)
})

test('a recording that fails keeps the journals of others from nothing', () => {
  const { work, write, folder, journals } = bench({ journalBytes: 1 })
  write(1)
  work.obey([{ recording: 0 }])
  work.tidy(Infinity)
  expect(journals()).toEqual([])
  expect(statSync(join(folder('ses_1'), segmentName(1))).size).toBeGreaterThan(0)
})

test('one that is alone, and what is large, is brought to where it belongs at once', () => {
  const { work, journals } = bench()
  const noise = (size: number): Block => ({ content: randomBytes(size), events: 1, salts: new Uint8Array() })
  work.obey([{ recording: 0, turn: turnOf([noise(10)]) }])
  work.obey(sessions.map((_, i) => ({ recording: i, turn: turnOf([noise(100_000)]) })))
  expect(journals()).toEqual([])
})

test('where no journal can be written each file is synced by itself', async () => {
  const { dir, folder, write } = bench()
  writeFileSync(join(dir, journalFolder), 'in the way')
  const heads = write(3)
  expect(await holds(folder, heads)).toEqual(allHold)
})

test('journals that are left of another process are not written to', () => {
  const { dir, write, journals } = bench()
  write(1)
  const left = readFileSync(join(dir, journalFolder, journalName(1)))
  const later = createDiskWork({ dir, limits: recorderLimits })
  const place = (session: string) => ({
    folder: recordingFolder(dir, session, sampleStart),
    header: { ...sampleSession(session), policy: commitAll },
  })
  for (const isFirst of [true, false]) {
    const orders = ['ses_8', 'ses_9'].map((session, i) => ({
      recording: i,
      turn: turnOf([blockMaker(commitAll)(1)]),
      ...(isFirst && { place: place(session) }),
    }))
    expect(later.obey(orders)).toMatchObject([{ head: { segment: 1 } }, { head: { segment: 1 } }])
  }
  expect(journals()).toEqual([journalName(1), journalName(2)])
  expect(readFileSync(join(dir, journalFolder, journalName(1)))).toEqual(left)
})

test('two processes that write in one folder have journals of their own, and put back only those', async () => {
  const dir = scratchFolder()
  const place = (session: string) => ({
    folder: recordingFolder(dir, session, sampleStart),
    header: { ...sampleSession(session), policy: commitAll },
  })
  const block = blockMaker(commitAll)
  for (const worker of [0, 1]) {
    const work = createDiskWork({ dir, limits: recorderLimits, share: { worker, of: 2 } })
    const named = [1, 2].map((n) => `ses_${worker}${n}`)
    for (const isFirst of [true, false]) {
      const orders = named.map((session, i) => ({
        recording: i,
        turn: turnOf([block(1)]),
        ...(isFirst && { place: place(session) }),
      }))
      work.obey(orders)
    }
  }
  const journals = (): string[] => readdirSync(join(dir, journalFolder))
  expect(journals()).toEqual([journalName(2), journalName(3)])
  await putBackJournals(dir, { worker: 1, of: 2 })
  expect(journals()).toEqual([journalName(2)])
  await putBackJournals(dir)
  expect(journals()).toEqual([])
})

test('nothing that is there is changed, and what was deleted stays so', async () => {
  const { dir, folder, files, synced, write } = bench()
  write(1)
  const [changed, , gone, , other] = files as [string, string, string, string, string]
  const found = readFileSync(changed)
  found[synced[0]! + 3]! ^= 1
  writeFileSync(changed, found)
  rmSync(folder('ses_2'), { recursive: true })
  truncateSync(other, synced[4]! - 1)
  await putBackJournals(dir)
  expect(readFileSync(changed)).toEqual(found)
  expect(existsSync(gone)).toBe(false)
  expect(statSync(other).size).toBe(synced[4]! - 1)
})

test('a journal that somebody else has written leads nowhere but into recordings', async () => {
  const dir = scratchFolder()
  const outside = join(dirname(dir), 'outside')
  const inside = join(dir, 'notes')
  for (const file of [outside, inside]) writeFileSync(file, '')
  const names = ['../outside', 'notes', `2026/03/01/../../../../outside`, '2026/03/01/ses_1/notes', '/etc/hosts', '']
  const forged = encodeAppended(names.map((file) => ({ file, at: 0, bytes: Buffer.from('forged') })))
  const folder = join(dir, journalFolder)
  cpSync(scratchFolder(), folder, { recursive: true })
  writeFileSync(join(folder, journalName(1)), Buffer.concat([journalMagic, forged]))
  writeFileSync(join(folder, 'README'), 'not a journal')
  expect(await putBackJournals(dir)).toBe(0)
  for (const file of [outside, inside]) expect(readFileSync(file, 'utf8')).toBe('')
  expect(readdirSync(folder)).toEqual(['README'])
})

test('where there are no journals nothing is put back', async () => {
  expect(await putBackJournals(join(scratchFolder(), 'never'))).toBe(0)
})
