import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type * as FileSystem from 'node:fs'
import { basename, dirname, join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import type { Head } from '../format/head.ts'
import { journalFolder } from '../format/journal.ts'
import { recordingFolder } from '../format/place.ts'
import { recorderLimits } from '../limits.ts'
import { putBackJournals } from '../put-back.ts'
import { verifyRecording } from '../read/verify.ts'
import { blockMaker, turnOf } from '../testing/blocks.ts'
import { commitAll, keepAll, sampleSession, sampleStart } from '../testing/sample.ts'
import type { DiskTurn } from './disk.ts'
import { createDiskWork } from './disk-work.ts'
import type { DiskLimits, Order } from './disk-work.ts'

type Watcher = {
  /** Something is about to be brought to disk or removed: since the last time never more was at risk than now. */
  readonly before: () => void
  /** @throws where the disk refuses it */
  readonly syncs: (path: string) => void
  readonly synced: (path: string) => void
  /** It is still there. */
  readonly unlinks: (path: string) => void
}
const watch = vi.hoisted(() => ({ by: undefined as Watcher | undefined }))

vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>()
  const paths = new Map<number, string>()
  const watched = (sync: (file: number) => void) => (file: number) => {
    watch.by?.before()
    watch.by?.syncs(paths.get(file)!)
    sync(file)
    watch.by?.synced(paths.get(file)!)
  }
  return {
    ...real,
    openSync(...args: Parameters<typeof real.openSync>) {
      const file = real.openSync(...args)
      paths.set(file, String(args[0]))
      return file
    },
    fdatasyncSync: watched(real.fdatasyncSync),
    fsyncSync: watched(real.fsyncSync),
    unlinkSync(path: string) {
      watch.by?.before()
      watch.by?.unlinks(path)
      real.unlinkSync(path)
    },
  }
})

/** From 0, where nothing is left that need not be, to 1. */
type Luck = () => number

/** Knows what has to be on disk of what is in a folder. Everything else may be. */
function createDisk(dir: string) {
  const sizes = new Map<string, number>()
  const names = new Set<string>()
  /** What was to be synced is forgotten then, and the next call would seem to succeed. */
  const refused = new Set<string>()
  /** They may come back until their folder is synced. */
  const unlinked = new Map<string, Buffer>()

  /** What a power failure leaves now. */
  const leaveIn = (to: string, luck: Luck, from = dir): void => {
    for (const [path, bytes] of unlinked) {
      if (dirname(path) === from && luck() > 0) writeFileSync(join(to, basename(path)), bytes)
    }
    for (const name of readdirSync(from).toSorted()) {
      const [path, left] = [join(from, name), join(to, name)]
      if (!names.has(path) && luck() === 0) continue
      if (statSync(path).isFile()) {
        writeFileSync(left, leftOf(readFileSync(path), sizes.get(path) ?? 0, luck))
      } else {
        mkdirSync(left)
        leaveIn(left, luck, path)
      }
    }
  }

  return {
    leaveIn,
    refuse(path: string): never {
      if (statSync(path).isFile()) refused.add(path)
      throw Object.assign(new Error('i/o error'), { code: 'EIO' })
    },
    synced(path: string) {
      const found = statSync(path)
      if (refused.has(path)) return
      if (found.isFile()) return void sizes.set(path, found.size)
      for (const name of readdirSync(path)) names.add(join(path, name))
      for (const gone of unlinked.keys()) if (dirname(gone) === path) unlinked.delete(gone)
    },
    unlinks(path: string) {
      if (names.delete(path)) unlinked.set(path, readFileSync(path).subarray(0, sizes.get(path) ?? 0))
    },
  }
}

/**
 * What was not synced is there up to some byte. In a block that the file had before, the length may be on disk and what
 * was written there may not: then there are zeroes, from some byte on. That is what ext4 leaves of nearly all that only a
 * journal has.
 */
function leftOf(all: Buffer, synced: number, luck: Luck): Buffer {
  const left = Buffer.from(all.subarray(0, synced + Math.floor(luck() * (all.length - synced))))
  if (synced === 0 || luck() <= 0.5) return left
  return left.fill(0, synced + Math.floor((1 - luck()) * (left.length - synced)))
}

type Turn = {
  /** The session that is in it, or another one after that. */
  readonly slot: number
  /** How many statements each has. */
  readonly blocks: readonly number[]
  readonly next: 'goes on' | 'is synced' | 'ends' | 'is abandoned'
}
type Step = { readonly turns: readonly Turn[] } | { readonly tidyMs: number }
type Failure = {
  /** So much was brought to disk or removed before. More than that: it is at the end. */
  readonly after: number
  readonly luck: readonly number[]
}

const turn: fc.Arbitrary<Turn> = fc.record({
  slot: fc.nat(3),
  // The last is more than a journal takes.
  blocks: fc.array(fc.oneof({ weight: 30, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.constant(900)), {
    maxLength: 2,
  }),
  next: fc.oneof(
    { weight: 12, arbitrary: fc.constant('is synced' as const) },
    { weight: 3, arbitrary: fc.constant('goes on' as const) },
    fc.constantFrom('ends' as const, 'is abandoned' as const),
  ),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ turns: fc.uniqueArray(turn, { selector: ({ slot }) => slot, minLength: 1 }) }) },
  fc.record({ tidyMs: fc.constantFrom(0, 2, 3, 5, Infinity) }),
)
const failure: fc.Arbitrary<Failure> = fc.record({
  after: fc.nat(60),
  luck: fc.array(fc.oneof(fc.constant(0), fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })), {
    minLength: 1,
    maxLength: 12,
  }),
})
const anyLimits: fc.Arbitrary<DiskLimits> = fc.record({
  compressFromBytes: fc.constantFrom(recorderLimits.compressFromBytes, Infinity),
  segmentBytes: fc.constantFrom(recorderLimits.segmentBytes, 2_000, 500),
  journalBytes: fc.constantFrom(recorderLimits.journalBytes, 3_000, 1),
  journalMs: fc.constantFrom(Infinity, 10, 0),
})

/** What is said to be on disk of a recording: up to here, and so much of each of its files. */
type Promised = { readonly head: Head; readonly sizes: ReadonlyMap<string, number> }

/** Writes recordings that begin, go on and end. */
function createWork(dir: string, limits: DiskLimits) {
  const work = createDiskWork({ dir, limits })
  const promised = new Map<string, Promised>()
  const slots = new Map<number, { readonly recording: number; readonly block: ReturnType<typeof blockMaker> }>()
  let count = 0

  const orderFor = ({ slot, blocks, next }: Turn): readonly Order[] => {
    const before = slots.get(slot)
    // Nothing is made before there is something to write.
    if (before === undefined && (blocks.length === 0 || next === 'is abandoned')) return []
    const recording = before?.recording ?? ++count
    const policy = recording % 2 === 1 ? commitAll : keepAll
    const block = before?.block ?? blockMaker(policy)
    if (next === 'is abandoned' || next === 'ends') slots.delete(slot)
    else slots.set(slot, { recording, block })
    if (next === 'is abandoned') return [{ recording }]
    const more: Partial<DiskTurn> = { syncs: next === 'is synced', ...(next === 'ends' && { ends: sampleStart }) }
    const session = `ses_${recording}`
    const place = { folder: recordingFolder(dir, session, sampleStart), header: { ...sampleSession(session), policy } }
    return [{ recording, turn: turnOf(blocks.map(block), more), ...(before === undefined && { place }) }]
  }
  const giveUp = (recording: number): void => {
    for (const [slot, one] of slots) if (one.recording === recording) slots.delete(slot)
  }
  const promise = (head: Head): void => {
    const folder = recordingFolder(dir, head.session, sampleStart)
    const sizes = new Map(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size]))
    promised.set(head.session, { head, sizes })
  }

  return {
    promised: (): ReadonlyMap<string, Promised> => new Map(promised),
    take(step: Step) {
      if ('tidyMs' in step) return work.tidy(step.tidyMs)
      const orders = step.turns.flatMap(orderFor)
      for (const [i, outcome] of work.obey(orders).entries()) {
        const { turn } = orders[i]!
        if (outcome !== undefined && 'fault' in outcome) giveUp(orders[i]!.recording)
        else if (outcome !== undefined && (turn?.syncs === true || turn?.ends !== undefined)) promise(outcome.head)
      }
    },
  }
}

type Life = {
  readonly limits: DiskLimits
  readonly steps: readonly Step[]
  readonly failures: readonly Failure[]
  /** Which of what is to be brought to disk or removed is refused, where it is to be brought there. */
  readonly refusals: readonly number[]
}
/** What a power failure left, and what had been said before it. */
type Left = { readonly dir: string; readonly promised: ReadonlyMap<string, Promised> }

/** Writes in `dir`. @returns what each of the power failures left of it, in `root` */
function live(
  { limits, steps, failures, refusals }: Life,
  { dir, root }: { readonly dir: string; readonly root: string },
) {
  const work = createWork(dir, limits)
  const disk = createDisk(dir)
  const all: Left[] = []
  let count = 0
  const fail = ({ luck }: Failure): void => {
    const left = mkdtempSync(join(root, 'left-'))
    let drawn = 0
    disk.leaveIn(left, () => luck[drawn++ % luck.length]!)
    all.push({ dir: left, promised: work.promised() })
  }
  const before = (): void => {
    for (const failure of failures) if (failure.after === count) fail(failure)
    count += 1
  }
  const syncs = (path: string): void => {
    if (refusals.includes(count)) disk.refuse(path)
  }
  watch.by = { ...disk, before, syncs }
  try {
    for (const step of steps) work.take(step)
  } finally {
    watch.by = undefined
  }
  for (const failure of failures) if (failure.after >= count) fail(failure)
  return all
}

/** @param written where all is that was written */
async function hold({ dir, promised }: Left, written: string): Promise<void> {
  await putBackJournals(dir)
  for (const [session, { head, sizes }] of promised) {
    const [there, whole] = [dir, written].map((root) => recordingFolder(root, session, sampleStart)) as [string, string]
    expect(await verifyRecording(there, { head })).toMatchObject({ ok: true, anchoredEvents: head.events })
    // Salts are in no chain.
    for (const [name, size] of sizes) {
      const [found, said] = [there, whole].map((folder) => readFileSync(join(folder, name)).subarray(0, size))
      expect(found!.equals(said!), `${size} bytes of ${session}/${name}`).toBe(true)
    }
  }
  // Of what was not promised some is gone, and none of it looks as if somebody had changed it.
  for (const session of filesIn(dir).map(([name]) => basename(dirname(name)))) {
    const verdict = await verifyRecording(recordingFolder(dir, session, sampleStart))
    if (!verdict.ok) expect(verdict).toMatchObject({ reason: 'missing' })
  }
  const journals = join(dir, journalFolder)
  if (existsSync(journals)) expect(readdirSync(journals)).toEqual([])
  const before = filesIn(dir)
  expect(await putBackJournals(dir)).toBe(0)
  expect(filesIn(dir)).toEqual(before)
}

const filesIn = (dir: string): readonly (readonly [string, string])[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(dir, name)).isFile())
    .toSorted()
    .map((name) => [name, readFileSync(join(dir, name), 'latin1')])

test('what was said to be on disk is there after a power failure at any moment', async () => {
  // It goes on by one whenever somebody looks, so that what is to take some time stops somewhere in between.
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => ++now)
  onTestFinished(() => clock.mockRestore())
  const scratch = scratchFolder()
  const life: fc.Arbitrary<Life> = fc.record({
    limits: anyLimits,
    steps: fc.array(step, { minLength: 1, maxLength: 14 }),
    failures: fc.array(failure, { minLength: 1, maxLength: 5 }),
    refusals: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }),
  })
  await fc.assert(
    fc.asyncProperty(life, async (life) => {
      const root = mkdtempSync(join(scratch, 'life-'))
      try {
        const dir = join(root, 'recordings')
        mkdirSync(dir)
        for (const left of live(life, { dir, root })) await hold(left, dir)
      } finally {
        rmSync(root, { recursive: true })
      }
    }),
    { numRuns: 100 },
  )
})
