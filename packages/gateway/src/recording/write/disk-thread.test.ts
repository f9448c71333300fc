import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { scratchFolder } from '../../../../../tests/support/folders.ts'
import { recordingFolder } from '../format/place.ts'
import { recorderLimits } from '../limits.ts'
import type { RecorderLimits } from '../limits.ts'
import { blockOf, turnOf } from '../testing/blocks.ts'
import { keepAll, sampleSession, sampleStart } from '../testing/sample.ts'
import { verifyRecording } from '../read/verify.ts'
import { createDiskThread } from './disk-thread.ts'
import type { Disk, DiskFile } from './disk.ts'

type Bench = {
  readonly disk: Disk
  readonly open: (session: string) => DiskFile
  readonly folder: (session: string) => string
  /** The threads that were started, in their order. */
  readonly threads: readonly Worker[]
}

function bench(limits: Partial<RecorderLimits> = {}): Bench {
  const dir = scratchFolder()
  const threads: Worker[] = []
  const note = (worker: Worker): void => void threads.push(worker)
  process.on('worker', note)
  const disk = createDiskThread(dir, { ...recorderLimits, ...limits })
  onTestFinished(() => {
    process.off('worker', note)
    disk.close()
  })
  const folder = (session: string): string => recordingFolder(dir, session, sampleStart)
  const open = (session: string): DiskFile =>
    disk.open({ folder: folder(session), header: { ...sampleSession(session), policy: keepAll } })
  return { disk, open, folder, threads }
}

const last = { inspects: true, ends: sampleStart }

test('what is asked together is written together, and each hears of its own', async () => {
  const { open, folder, threads } = bench()
  mkdirSync(folder('ses_taken'), { recursive: true })
  writeFileSync(join(folder('ses_taken'), '000001.tgrec'), 'precious')
  const sessions = Array.from({ length: 40 }, (_, i) => (i === 17 ? 'ses_taken' : `ses_${i}`))
  const outcomes = await Promise.allSettled(
    sessions.map((session, i) => open(session).write(turnOf([blockOf(i + 1)], last))),
  )
  for (const [i, outcome] of outcomes.entries()) {
    const session = sessions[i] as string
    if (session === 'ses_taken') {
      expect(outcome).toMatchObject({ reason: { message: 'there is a recording of that session (EEXIST)' } })
    } else {
      expect(outcome).toMatchObject({ value: { session, events: 2 * (i + 1) } })
      const { value: head } = outcome as Extract<typeof outcome, { status: 'fulfilled' }>
      expect(await verifyRecording(folder(session), { head })).toMatchObject({ ok: true, state: 'ended' })
    }
  }
  expect(readFileSync(join(folder('ses_taken'), '000001.tgrec'), 'utf8')).toBe('precious')
  expect(threads).toHaveLength(1)
})

test('more than the thread is given at once is written in the order in which it was asked', async () => {
  const { open } = bench({ atOnceBytes: 10 })
  const order: string[] = []
  const write = async (name: string, file: DiskFile): Promise<number> => {
    const { events } = await file.write(turnOf([blockOf(3)]))
    order.push(name)
    return events
  }
  const [one, other] = [open('ses_one'), open('ses_other')]
  expect(await Promise.all([write('one', one), write('other', other), write('third', open('ses_third'))])).toEqual([
    6, 6, 6,
  ])
  expect(await Promise.all([write('other', other), write('one', one)])).toEqual([12, 12])
  expect(order).toEqual(['one', 'other', 'third', 'other', 'one'])
})

test('of a part of larger memory the part is written', async () => {
  const { open, folder } = bench()
  const { content, ...block } = blockOf(100)
  const memory = Buffer.alloc(1_000_000, 'other')
  memory.set(content, 5_000)
  const part = { ...block, content: memory.subarray(5_000, 5_000 + content.length) }
  const head = await open('ses_1').write(turnOf([part], last))
  expect(await verifyRecording(folder('ses_1'), { head })).toMatchObject({ ok: true, anchoredEvents: 200 })
})

test('a thread that ends fails what goes on, in words; whoever comes then has another', async () => {
  const { open, folder, threads } = bench()
  const [before, idle] = [open('ses_before'), open('ses_idle')]
  const { events } = await before.write(turnOf([blockOf(1)]))
  await idle.write(turnOf([blockOf(1)]))
  const under = Promise.allSettled([before.write(turnOf([blockOf(2)]))])
  await threads[0]?.terminate()
  expect(await under).toMatchObject([{ reason: { message: 'the thread that writes recordings ended: exit code 1' } }])
  const after = open('ses_after')
  const head = await after.write(turnOf([blockOf(4)], last))
  expect(await verifyRecording(folder('ses_after'), { head })).toMatchObject({ ok: true, state: 'ended' })
  await expect(idle.write(turnOf([blockOf(1)]))).rejects.toThrow('it has been closed')
  expect(threads).toHaveLength(2)
  expect(await verifyRecording(folder('ses_before'))).toMatchObject({ ok: true, state: 'unfinished' })
  expect(events).toBe(2)
})

test('what cannot be handed over fails, and nothing that comes after it', async () => {
  const { open, folder } = bench()
  const broken = { ...turnOf([blockOf(1)]), ends: (() => 0) as never }
  await expect(open('ses_1').write(broken)).rejects.toThrow('could not be cloned')
  const head = await open('ses_2').write(turnOf([blockOf(1)], last))
  expect(await verifyRecording(folder('ses_2'), { head })).toMatchObject({ ok: true, state: 'ended' })
})

test('who was abandoned or closed writes nothing any more', async () => {
  const { disk, open } = bench()
  const file = open('ses_1')
  await file.write(turnOf([blockOf(1)]))
  file.abandon()
  await expect(file.write(turnOf([blockOf(1)]))).rejects.toThrow('it has been closed')
  const [other, late] = [open('ses_2'), open('ses_3')]
  const under = other.write(turnOf([blockOf(1)]))
  disk.close()
  await expect(under).rejects.toThrow('the thread that writes recordings ended: it was stopped')
  await expect(late.write(turnOf([blockOf(1)]))).rejects.toThrow('recordings are not written any more')
})

test('who has nothing to write has no thread', async () => {
  const { open, threads } = bench()
  const file = open('ses_1')
  expect(await file.write(turnOf([], last))).toMatchObject({ session: 'ses_1', segment: 0, events: 0 })
  file.abandon()
  expect(threads).toEqual([])
})
