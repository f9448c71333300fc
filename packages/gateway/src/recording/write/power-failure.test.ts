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
  /** Before anything is brought to disk or removed. Of two such moments the later one has all that was at risk since. */
  readonly before: () => void
  readonly synced: (path: string) => void
  /** It is still there. */
  readonly unlinks: (path: string) => void
}
const watch = vi.hoisted(() => ({ by: undefined as Watcher | undefined }))

vi.mock('node:fs', async (original) => {
  const real = await original<typeof FileSystem>()
  const paths = new Map<number, string>()
  const noting = (sync: (file: number) => void) => (file: number) => {
    watch.by?.before()
    sync(file)
    watch.by?.synced(paths.get(file) ?? '')
  }
  return {
    ...real,
    openSync(...args: Parameters<typeof real.openSync>) {
      const file = real.openSync(...args)
      paths.set(file, String(args[0]))
      return file
    },
    fdatasyncSync: noting(real.fdatasyncSync),
    fsyncSync: noting(real.fsyncSync),
    unlinkSync(path: string) {
      watch.by?.before()
      watch.by?.unlinks(path)
      real.unlinkSync(path)
    },
  }
})

/** From 0, where nothing is left that need not be, to 1. */
type Luck = () => number

/** What has to be on disk of what is in a folder, and what may be. */
function createDisk(dir: string) {
  const sizes = new Map<string, number>()
  const names = new Set<string>()
  /** They come back until their folder is synced. */
  const unlinked = new Map<string, Buffer>()

  const leaveIn = (to: string, luck: Luck, from = dir): void => {
    for (const [path, bytes] of unlinked) {
      if (dirname(path) === from && luck() > 0) writeFileSync(join(to, basename(path)), bytes)
    }
    for (const name of readdirSync(from).toSorted()) {
      const path = join(from, name)
      if (!names.has(path) && luck() === 0) continue
      if (statSync(path).isFile()) {
        writeFileSync(join(to, name), leftOf(readFileSync(path), sizes.get(path) ?? 0, luck))
        continue
      }
      mkdirSync(join(to, name))
      leaveIn(join(to, name), luck, path)
    }
  }

  return {
    leaveIn,
    synced(path: string) {
      const found = statSync(path)
      if (found.isFile()) return void sizes.set(path, found.size)
      for (const name of readdirSync(path)) names.add(join(path, name))
      for (const gone of unlinked.keys()) if (dirname(gone) === path) unlinked.delete(gone)
    },
    unlinks(path: string) {
      if (names.delete(path)) unlinked.set(path, readFileSync(path).subarray(0, sizes.get(path)))
    },
  }
}

/**
 * What was not synced is there up to some byte. In a block that the file had already, file systems may have its length on
 * disk before what was written there: zeroes, as ext4 leaves them by default.
 */
function leftOf(all: Buffer, synced: number, luck: Luck): Buffer {
  const left = Buffer.from(all.subarray(0, synced + Math.floor(luck() * (all.length - synced))))
  return synced > 0 && luck() > 0.5 ? left.fill(0, synced) : left
}

type Turn = {
  /** One session after the other has it. */
  readonly slot: number
  /** How many statements each has. */
  readonly blocks: readonly number[]
  readonly fate: 'goes on' | 'is synced' | 'ends' | 'is abandoned'
}
type Step = { readonly turns: readonly Turn[] } | { readonly tidyMs: number }
/** Before so many things have been brought to disk or removed, or at the end. */
type Failure = { readonly after: number; readonly luck: readonly number[] }

const turn: fc.Arbitrary<Turn> = fc.record({
  slot: fc.nat(3),
  // The last is more than a journal takes.
  blocks: fc.array(fc.oneof({ weight: 30, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.constant(900)), {
    maxLength: 2,
  }),
  fate: fc.oneof(
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
  after: fc.nat(120),
  luck: fc.array(fc.oneof(fc.constant(0), fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })), {
    minLength: 1,
    maxLength: 12,
  }),
})
const limits: fc.Arbitrary<DiskLimits> = fc.record({
  compressFromBytes: fc.constantFrom(recorderLimits.compressFromBytes, Infinity),
  segmentBytes: fc.constantFrom(recorderLimits.segmentBytes, 2_000, 500),
  journalBytes: fc.constantFrom(recorderLimits.journalBytes, 3_000, 1),
  journalMs: fc.constantFrom(Infinity, 10, 0),
})

/** What was said to be on disk of a recording: up to here, and so much of each of its files. */
type Promised = { readonly head: Head; readonly sizes: ReadonlyMap<string, number> }

/** What is done by one process, with recordings that begin, go on and end. */
function createProcess(dir: string, limits: DiskLimits) {
  const work = createDiskWork({ dir, limits })
  const promised = new Map<string, Promised>()
  const slots = new Map<number, { recording: number; session: string; block: ReturnType<typeof blockMaker> }>()
  let count = 0

  const orderFor = ({ slot, blocks, fate }: Turn): readonly Order[] => {
    const there = slots.get(slot)
    // Nothing is made before there is something to write.
    if (there === undefined && (blocks.length === 0 || fate === 'is abandoned')) return []
    const recording = there?.recording ?? ++count
    const session = `ses_${recording}`
    const policy = recording % 2 === 1 ? commitAll : keepAll
    const { block } = there ?? { block: blockMaker(policy) }
    if (fate === 'is abandoned' || fate === 'ends') slots.delete(slot)
    else slots.set(slot, { recording, session, block })
    if (fate === 'is abandoned') return [{ recording }]
    const more: Partial<DiskTurn> = { syncs: fate === 'is synced', ...(fate === 'ends' && { ends: sampleStart }) }
    const place = { folder: recordingFolder(dir, session, sampleStart), header: { ...sampleSession(session), policy } }
    return [{ recording, turn: turnOf(blocks.map(block), more), ...(there === undefined && { place }) }]
  }

  return {
    promised: (): ReadonlyMap<string, Promised> => new Map(promised),
    take(step: Step) {
      if ('tidyMs' in step) return work.tidy(step.tidyMs)
      const orders = step.turns.flatMap(orderFor)
      for (const [i, outcome] of work.obey(orders).entries()) {
        const { turn } = orders[i]!
        if (outcome !== undefined && 'fault' in outcome) throw new Error(outcome.fault)
        if (outcome === undefined || (turn?.syncs !== true && turn?.ends === undefined)) continue
        const { head } = outcome
        const folder = recordingFolder(dir, head.session, sampleStart)
        const sizes = new Map(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size]))
        promised.set(head.session, { head, sizes })
      }
    },
  }
}

type Life = { readonly steps: readonly Step[]; readonly failures: readonly Failure[]; readonly limits: DiskLimits }
/** What a power failure left, and what had been said before it. */
type Left = { readonly dir: string; readonly promised: ReadonlyMap<string, Promised> }

/** @returns what each of the failures leaves, in `root`, of what is in `dir` */
function live(life: Life, { dir, root }: { readonly dir: string; readonly root: string }): readonly Left[] {
  const process = createProcess(dir, life.limits)
  const disk = createDisk(dir)
  const left: Left[] = []
  let count = 0
  const fail = ({ luck }: Failure): void => {
    const to = mkdtempSync(join(root, 'left-'))
    let drawn = 0
    disk.leaveIn(to, () => luck[drawn++ % luck.length]!)
    left.push({ dir: to, promised: process.promised() })
  }
  const before = (): void => {
    for (const one of life.failures) if (one.after === count) fail(one)
    count += 1
  }
  watch.by = { ...disk, before }
  try {
    for (const step of life.steps) process.take(step)
  } finally {
    watch.by = undefined
  }
  for (const one of life.failures) if (one.after >= count) fail(one)
  return left
}

const contents = (dir: string): readonly (readonly [string, string])[] =>
  readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(dir, name)).isFile())
    .toSorted()
    .map((name) => [name, readFileSync(join(dir, name), 'latin1')])

/** @param dir where it all is that was written */
async function holds({ dir: left, promised }: Left, dir: string): Promise<void> {
  await putBackJournals(left)
  for (const [session, { head, sizes }] of promised) {
    const [there, whole] = [left, dir].map((root) => recordingFolder(root, session, sampleStart)) as [string, string]
    expect(await verifyRecording(there, { head })).toMatchObject({ ok: true, anchoredEvents: head.events })
    // Salts are in no chain.
    for (const [name, size] of sizes) {
      const [found, written] = [there, whole].map((folder) => readFileSync(join(folder, name)).subarray(0, size))
      expect(found!.equals(written!), `${size} bytes of ${session}/${name}`).toBe(true)
    }
  }
  const journals = join(left, journalFolder)
  if (existsSync(journals)) expect(readdirSync(journals)).toEqual([])
  const before = contents(left)
  expect(await putBackJournals(left)).toBe(0)
  expect(contents(left)).toEqual(before)
}

test('what was said to be on disk is there after a power failure at any moment', async () => {
  // Time goes on by one whenever somebody looks, so that what is done for some time stops somewhere in between.
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => ++now)
  onTestFinished(() => clock.mockRestore())
  const life = fc.record({
    limits,
    steps: fc.array(step, { minLength: 1, maxLength: 14 }),
    failures: fc.array(failure, { minLength: 1, maxLength: 5 }),
  })
  const scratch = scratchFolder()
  await fc.assert(
    fc.asyncProperty(life, async (life) => {
      const root = mkdtempSync(join(scratch, 'life-'))
      try {
        const dir = join(root, 'recordings')
        mkdirSync(dir)
        for (const left of live(life, { dir, root })) await holds(left, dir)
      } finally {
        rmSync(root, { recursive: true })
      }
    }),
    { numRuns: 80 },
  )
})
