import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Instant } from '@tidegate/core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import type { SessionEvent } from '../event.ts'
import { emptyHead } from '../format/head.ts'
import type { Head } from '../format/head.ts'
import { recordingFolder } from '../format/place.ts'
import { recorderLimits } from '../limits.ts'
import type { RecorderLimits } from '../limits.ts'
import { verifyRecording } from '../read/verify.ts'
import { manualClock } from '../testing/manual-clock.ts'
import type { ManualClock } from '../testing/manual-clock.ts'
import { keepAll, readAll, sampleEvents, sampleSession, sampleStart, unnumbered, until } from '../testing/sample.ts'
import { slowDisk } from '../testing/slow-disk.ts'
import type { SlowDisk } from '../testing/slow-disk.ts'
import { createDiskThread } from './disk-thread.ts'
import type { Disk, DiskTurn, RecordingPlace } from './disk.ts'
import { createRecorders } from './recorder.ts'
import type { Recorder, Recorders } from './recorder.ts'

type Bench = {
  readonly dir: string
  readonly clock: ManualClock
  readonly recorders: Recorders
  readonly heads: Head[]
  readonly open: (session?: string) => Recorder
  readonly folder: (session?: string) => string
}

function bench(options: { readonly disk?: Disk; readonly limits?: Partial<RecorderLimits>; dir?: string } = {}): Bench {
  const dir = options.dir ?? scratchFolder()
  const clock = manualClock()
  const heads: Head[] = []
  const limits = { ...recorderLimits, ...options.limits }
  const recorders = createRecorders({ dir, clock, limits, disk: options.disk ?? createDiskThread(dir, limits) })
  onTestFinished(() => {
    if (options.disk !== undefined && 'letGo' in options.disk) (options.disk as SlowDisk).letGo()
    return recorders.close()
  })
  return {
    dir,
    clock,
    recorders,
    heads,
    open: (session = 'ses_sample') =>
      recorders.open({ session: sampleSession(session), policy: keepAll, anchor: (head) => heads.push(head) }),
    folder: (session = 'ses_sample') => recordingFolder(dir, session, sampleStart),
  }
}

/** Tells of each turn before it is taken. */
function overheardDisk(tell: (place: RecordingPlace, turn: DiskTurn) => void): Disk {
  const thread = createDiskThread(scratchFolder(), recorderLimits)
  return {
    ...thread,
    open(place) {
      const file = thread.open(place)
      const write: typeof file.write = (turn) => {
        tell(place, turn)
        return file.write(turn)
      }
      return { ...file, write }
    },
  }
}

const [statement, result] = sampleEvents(1) as [SessionEvent, SessionEvent]

/** A statement of about so many bytes, another one each time: what repeats is written once. */
const large = (bytes: number): SessionEvent =>
  ({ ...statement, text: `${randomUUID()} ${'x'.repeat(bytes)}` }) as SessionEvent

describe('what is recorded', () => {
  test('is on disk half a second later, and can be read while the session goes on', async () => {
    const { clock, open, folder } = bench()
    const recorder = open()
    recorder.record(statement)
    clock.advance(499)
    expect(existsSync(folder())).toBe(false)
    clock.advance(1)
    await until(() => recorder.head().events === 1)
    expect(unnumbered(await readAll(folder(), { head: recorder.head() }))).toEqual([statement])
    recorder.record(result)
    clock.advance(500)
    await until(() => recorder.head().events === 2)
    expect(unnumbered(await readAll(folder(), { head: recorder.head() }))).toEqual([statement, result])
  })

  test('is on disk as well when it came while the disk was busy with what was before', async () => {
    const disk = slowDisk()
    const { clock, open } = bench({ disk })
    const recorder = open()
    recorder.record(statement)
    clock.advance(500)
    await until(() => disk.waiting() === 1)
    recorder.record(result)
    clock.advance(500)
    disk.letGo()
    await until(() => recorder.head().events === 2)
  })

  test('is written without waiting for the clock once there is a block of it', async () => {
    const { open, folder } = bench()
    const recorder = open()
    for (let i = 0; i < 20; i++) recorder.record(large(30_000))
    await until(() => existsSync(join(folder(), '000001.tgrec')))
    expect(recorder.head()).toEqual(emptyHead('ses_sample'))
  })

  test('is anchored every few seconds while there is something new, only when it is on disk, and at the end', async () => {
    const { clock, open, heads } = bench()
    const recorder = open()
    for (let second = 0; second < 12; second++) {
      recorder.record(statement)
      clock.advance(500)
      await until(() => recorder.head().events === second + 1)
      clock.advance(500)
      await until(() => (heads.at(-1)?.events ?? 0) >= second - 3)
    }
    expect(heads.map(({ events }) => events)).toEqual([3, 6, 9])
    clock.advance(60_000)
    await until(() => heads.length === 4)
    clock.advance(60_000)
    await recorder.end()
    expect(heads.map(({ events }) => events)).toEqual([3, 6, 9, 12, 12])
    expect(heads[3]?.chain).not.toBe(heads[4]?.chain)
    clock.advance(recorderLimits.stallMs)
    expect(clock.timers()).toBe(0)
  })

  test('is anchored with what is flushed next, where that is soon', async () => {
    const turns: DiskTurn[] = []
    const disk = overheardDisk((_, turn) => turns.push(turn))
    const { clock, open, heads } = bench({ disk })
    const recorder = open()
    for (let spoken = 1; spoken <= 4; spoken++) {
      recorder.record(statement)
      clock.advance(500)
      await until(() => recorder.head().events === spoken)
      clock.advance(400)
    }
    await until(() => heads.length === 1)
    expect(heads[0]?.events).toBe(4)
    expect(turns.map(({ blocks, inspects }) => [blocks.length, inspects])).toEqual([
      [1, false],
      [1, false],
      [1, false],
      [1, true],
    ])
  })

  test('of a session that ends twice ends once', async () => {
    const { open, heads, folder } = bench()
    const recorder = open()
    recorder.record(statement)
    await Promise.all([recorder.end(), recorder.end()])
    await recorder.end()
    recorder.record(statement)
    expect(heads).toHaveLength(1)
    expect(await verifyRecording(folder(), { head: heads[0]! })).toMatchObject({ ok: true, state: 'ended' })
  })
})

describe('an idle session', () => {
  test('has no file and no timer, and an end that is anchored as nothing', async () => {
    const { dir, clock, open, heads, folder } = bench()
    const all = Array.from({ length: 5_000 }, (_, i) => open(`ses_${i}`))
    clock.advance(3_600_000)
    expect({ timers: clock.timers(), files: readdirSync(dir) }).toEqual({ timers: 0, files: [] })
    await Promise.all(all.map((recorder) => recorder.end()))
    expect(heads).toHaveLength(5_000)
    expect(heads[17]).toEqual(emptyHead('ses_17'))
    expect(readdirSync(dir)).toEqual([])
    expect(await verifyRecording(folder('ses_17'), { head: heads[17]! })).toMatchObject({ ok: true, state: 'empty' })
  })

  test('that had something to say has no timer after it was written and anchored', async () => {
    const { clock, open, heads } = bench()
    const all = Array.from({ length: 200 }, (_, i) => open(`ses_${i}`))
    for (const recorder of all) recorder.record(statement)
    // One for what is to be written, one for a disk that is slow, one for a disk that does not answer.
    expect(clock.timers()).toBe(3)
    clock.advance(500)
    await until(() => all.every((recorder) => recorder.head().events === 1))
    expect(clock.timers()).toBe(3)
    clock.advance(recorderLimits.anchorMs)
    await until(() => heads.length === 200)
    clock.advance(2 * recorderLimits.stallMs)
    expect(clock.timers()).toBe(0)
  })
})

describe('a session that records faster than the disk writes', () => {
  test('is kept back above the high mark and let go below the low one', async () => {
    const disk = slowDisk()
    const { open } = bench({ disk })
    const recorder = open()
    expect(recorder.pressure()).toBeUndefined()
    for (let bytes = 0; bytes <= recorderLimits.session.high; bytes += 50_000) recorder.record(large(50_000))
    const pressure = recorder.pressure()
    expect(pressure).toBeInstanceOf(Promise)
    expect(recorder.pressure()).toBe(pressure)
    disk.letGo()
    await pressure
    expect(recorder.pressure()).toBeUndefined()
  })

  test('is kept back when what it recorded is not on disk after a second, so that no more can be lost', async () => {
    const disk = slowDisk()
    const { clock, open } = bench({ disk })
    const recorder = open()
    recorder.record(statement)
    clock.advance(999)
    expect(recorder.pressure()).toBeUndefined()
    clock.advance(1)
    const pressure = recorder.pressure()
    expect(pressure).toBeInstanceOf(Promise)
    disk.letGo()
    await pressure
    expect(recorder.head().events).toBe(1)
  })

  test('is kept back when all sessions together have too much', async () => {
    const disk = slowDisk()
    const { open } = bench({ disk, limits: { all: { high: 200_000, low: 50_000 } } })
    const [one, other] = [open('ses_1'), open('ses_2')]
    one.record(large(150_000))
    expect(one.pressure()).toBeUndefined()
    other.record(large(150_000))
    const both = [one.pressure(), other.pressure()]
    expect(both.every((pressure) => pressure instanceof Promise)).toBe(true)
    disk.letGo()
    for (const pressure of both) await pressure
  })

  test('is not looked at for each turn of each other that is kept back as well', async () => {
    const disk = slowDisk()
    const clock = manualClock()
    let looks = 0
    const now = (): Instant => {
      looks += 1
      return clock.now()
    }
    const recorders = createRecorders({ dir: scratchFolder(), clock: { ...clock, now }, disk })
    onTestFinished(() => recorders.close())
    const count = 300
    const all = Array.from({ length: count }, (_, i) =>
      recorders.open({ session: sampleSession(`ses_${i}`), policy: keepAll, anchor: () => undefined }),
    )
    for (const recorder of all) recorder.record(statement)
    clock.advance(recorderLimits.lagMs)
    const pressures = all.map((recorder) => recorder.pressure())
    expect(pressures.every((pressure) => pressure instanceof Promise)).toBe(true)
    looks = 0
    disk.letGo()
    for (const pressure of pressures) await pressure
    expect(looks).toBeLessThan(20 * count)
  })

  test('for what all have goes on when another has written it, though it has nothing to write itself', async () => {
    const disk = slowDisk()
    const { open } = bench({ disk, limits: { all: { high: 200_000, low: 50_000 } } })
    const [one, quiet] = [open('ses_1'), open('ses_2')]
    one.record(large(250_000))
    const pressure = quiet.pressure()
    expect(pressure).toBeInstanceOf(Promise)
    disk.letGo()
    await pressure
    expect(quiet.head().events).toBe(0)
  })

  test('and does not care has no recording any more, and what it held is free', async () => {
    const disk = slowDisk()
    const { open } = bench({ disk, limits: { sessionMost: 3_000_000 } })
    const recorder = open()
    for (let i = 0; i < 100; i++) recorder.record(large(100_000))
    expect(await recorder.failed).toBe('the session went on although nothing could be written')
    expect(recorder.pressure()).toBeUndefined()
    disk.letGo()
    await recorder.end()
  })

  test('takes turns with the others: what one has to write does not keep the rest waiting', async () => {
    const order: string[] = []
    const disk = overheardDisk(({ folder }) => order.push(folder.includes('ses_busy') ? 'busy' : 'quiet'))
    const { clock, open } = bench({ disk, limits: { turnsAtOnce: 1, turnBytes: 100_000 } })
    const [busy, quiet] = [open('ses_busy'), open('ses_quiet')]
    for (let i = 0; i < 50; i++) busy.record(large(130_000))
    quiet.record(statement)
    clock.advance(500)
    await until(() => quiet.head().events === 1)
    expect(order.indexOf('quiet')).toBeLessThan(10)
    expect(busy.head().events).toBe(0)
  })
})

describe('a recording that cannot be written', () => {
  const fault = (code: string): Error => Object.assign(new Error(code), { code })

  test.each([
    ['ENOSPC', 'the disk of recordings is full (ENOSPC)'],
    ['EIO', 'the disk of recordings failed (EIO)'],
    ['EXYZ', 'the system says EXYZ'],
  ])('because of %s says so, once, takes nothing more, and holds nobody back', async (code, words) => {
    const disk = slowDisk()
    const { clock, open, heads } = bench({ disk })
    const recorder = open()
    for (let i = 0; i < 40; i++) recorder.record(large(50_000))
    const pressure = recorder.pressure()
    expect(pressure).toBeInstanceOf(Promise)
    disk.fail(fault(code))
    expect(await recorder.failed).toBe(words)
    await pressure
    recorder.record(large(50_000))
    expect(recorder.pressure()).toBeUndefined()
    await recorder.end()
    clock.advance(60_000)
    expect(heads).toEqual([])
  })

  test.each(['goes on', 'ends'])('because the disk hangs fails within a minute when the session %s', async (how) => {
    const disk = slowDisk()
    const { clock, open, heads, recorders } = bench({ disk })
    const recorder = open()
    recorder.record(statement)
    const ended = how === 'ends' ? recorder.end() : undefined
    clock.advance(recorderLimits.stallMs)
    expect(recorder.pressure()).toEqual(how === 'ends' ? undefined : expect.any(Promise))
    clock.advance(recorderLimits.stallMs)
    expect(await recorder.failed).toBe('the disk of recordings does not answer')
    await ended
    expect(recorder.pressure()).toBeUndefined()
    disk.letGo()
    await recorders.close()
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(heads).toEqual([])
  })

  test('any further has what was on disk anchored at once', async () => {
    const disk = slowDisk()
    disk.letGo()
    const { clock, open, heads, folder } = bench({ disk })
    const recorder = open()
    recorder.record(statement)
    clock.advance(500)
    await until(() => recorder.head().events === 1)
    disk.fail(fault('EIO'))
    recorder.record(result)
    clock.advance(500)
    await recorder.failed
    expect(heads).toMatchObject([{ events: 1 }])
    expect(await verifyRecording(folder(), { head: heads[0]! })).toMatchObject({ ok: true, state: 'unfinished' })
  })

  test('because its folder is a file fails', async () => {
    const dir = scratchFolder()
    writeFileSync(join(dir, '2026'), '')
    const { clock, open } = bench({ dir })
    const recorder = open()
    recorder.record(statement)
    clock.advance(500)
    expect(await recorder.failed).toContain(
      'something that is no folder is where a folder of recordings should be (ENOTDIR)',
    )
  })

  test('because there is one of that session is not written over', async () => {
    const { clock, open, folder } = bench()
    mkdirSync(folder(), { recursive: true })
    writeFileSync(join(folder(), '000001.tgrec'), 'precious')
    const recorder = open()
    recorder.record(statement)
    clock.advance(500)
    expect(await recorder.failed).toContain('there is a recording of that session (EEXIST)')
  })

  test.each([
    ['removed', (path: string) => rmSync(path), 'removed while it was being written'],
    ['cut', (path: string) => truncateSync(path, 100), 'changed by somebody else while it was being written'],
  ])('because it was %s meanwhile is not anchored', async (_what, harm, words) => {
    const { clock, open, heads, folder } = bench()
    const recorder = open()
    recorder.record(statement)
    clock.advance(500)
    await until(() => recorder.head().events === 1)
    harm(join(folder(), '000001.tgrec'))
    clock.advance(recorderLimits.anchorMs)
    expect(await recorder.failed).toContain(words)
    expect(heads.filter(({ events }) => events > 1)).toEqual([])
  })

  test('because of a session id that leads elsewhere is refused before anything is recorded', () => {
    const { open } = bench()
    for (const id of ['', '..', '../ses_1', 'ses_1/..', 'SES_1', '.hidden', 'x'.repeat(65), 'ses_\0']) {
      expect(() => open(id), id).toThrow(RangeError)
    }
  })
})

describe('a watcher', () => {
  test('sees events as they are recorded, and the end', async () => {
    const { open } = bench()
    const recorder = open()
    recorder.record(statement)
    const watched = recorder.watch()
    recorder.record(result)
    expect(await watched.next()).toEqual({ done: false, value: { ...result, sequence: 2 } })
    await recorder.end()
    expect(await watched.next()).toEqual({ done: true, value: undefined })
    expect(await recorder.watch().next()).toEqual({ done: true, value: undefined })
  })

  test('that is too slow misses events, is told how many, and slows nobody', async () => {
    const { open } = bench()
    const recorder = open()
    const watched = recorder.watch()
    const { events } = recorderLimits.watcher
    for (let i = 0; i < events + 500; i++) recorder.record(statement)
    const seen = []
    for (let i = 0; i <= events; i++) seen.push((await watched.next()).value)
    expect(seen.at(-2)).toMatchObject({ sequence: events })
    expect(seen.at(-1)).toEqual({ type: 'missed', events: 500 })
    recorder.record(result)
    expect((await watched.next()).value).toMatchObject({ sequence: events + 501, type: 'result' })
  })

  test('that leaves while it waits is gone', async () => {
    const { open } = bench()
    const recorder = open()
    const watched = recorder.watch()
    const waiting = watched.next()
    await watched.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    recorder.record(statement)
    expect(await watched.next()).toEqual({ done: true, value: undefined })
  })

  test('sees what the policy hides as the recording has it', async () => {
    const { recorders } = bench()
    const policy = { text: 'commit', parameters: 'commit', rows: 'none' } as const
    const recorder = recorders.open({ session: sampleSession(), policy, anchor: () => undefined })
    const watched = recorder.watch()
    recorder.record(statement)
    const { value } = await watched.next()
    expect(JSON.stringify(value)).not.toContain('orders')
    expect(value).toMatchObject({ text: { commitment: expect.stringMatching(/^c1:/) } })
  })
})
