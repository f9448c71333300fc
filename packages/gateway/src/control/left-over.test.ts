/** What a gateway leaves that dies: its folder is copied while a session is open, and started again from the copy. */

import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { encodeAppended, journalFolder, journalMagic, journalName } from '../recording/format/journal.ts'
import { recordingFolder, segmentName } from '../recording/format/place.ts'
import { readRecording } from '../recording/read/read-recording.ts'
import { startGateway } from './gateway.ts'
import { createWorldForTest, folderForTest, reported, type World } from './testing/world.ts'

/** Resolves once so many events are on disk. */
async function untilWritten(folder: string, events: number): Promise<void> {
  for (let seen = 0; seen < events;) {
    seen = 0
    try {
      for await (const _ of readRecording(folder)) seen += 1
    } catch {
      // Nothing is there yet.
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** As the disk is when a gateway dies in the middle of a session with two statements. */
async function crashed(): Promise<{ world: World; dir: string; session: string; folder: string }> {
  const world = await createWorldForTest()
  const client = await world.connect()
  await client.query('select 1')
  await client.query('select 2')
  const { session, at } = await reported(world.plane, 'opened')
  const folderIn = (dir: string): string => recordingFolder(join(dir, 'recordings'), session, Date.parse(at) as never)
  await untilWritten(folderIn(world.dir), 4)
  const dir = await folderForTest()
  // The lock is not copied, and is none on another folder.
  await cp(world.dir, dir, { recursive: true, filter: (path) => !path.endsWith('/lock') })
  await world.gateway.stop()
  world.plane.reports.length = 0
  return { world, dir, session, folder: folderIn(dir) }
}

test('a session whose gateway died is told as over, with what is on disk of it, and once', async () => {
  const { world, dir, session } = await crashed()
  const { enrolmentToken: _, ...options } = world.options
  const gateway = await startGateway({ ...options, dir })
  const ended = await reported(world.plane, 'ended')
  expect(ended).toMatchObject({
    session,
    reason: 'the gateway stopped before the session had ended',
    statements: 2,
    refused: 0,
    head: { segment: 1, events: 4 },
  })
  expect(world.plane.reports.map(({ what }) => what)).toEqual(['opened', 'ended'])
  await gateway.stop()
  expect(await readdir(join(dir, 'sessions'))).toEqual([])
  world.plane.reports.length = 0
  await (await startGateway({ ...options, dir })).stop()
  expect(world.plane.reports).toEqual([])
})

test('a recording that was changed meanwhile is told so', async () => {
  const { world, dir, folder } = await crashed()
  const segment = (await readdir(folder)).find((name) => name.endsWith('.tgrec'))
  await writeFile(join(folder, segment!), 'not a recording')
  const { enrolmentToken: _, ...options } = world.options
  const gateway = await startGateway({ ...options, dir })
  expect((await reported(world.plane, 'ended')).reason).toContain('its recording does not hold')
  await gateway.stop()
})

test('a mark that was not written whole is of no session', async () => {
  const { world, dir, session } = await crashed()
  await writeFile(join(dir, 'sessions', `${session}.json`), '{"what":"open')
  const { enrolmentToken: _, ...options } = world.options
  await (await startGateway({ ...options, dir })).stop()
  expect(world.plane.reports).toEqual([])
  expect(await readdir(join(dir, 'sessions'))).toEqual([])
})

/** As a power failure leaves it: the file is as it was synced last, and a journal has the rest. */
async function powerFailed(): Promise<Awaited<ReturnType<typeof crashed>> & { journal: string }> {
  const left = await crashed()
  const path = join(left.folder, segmentName(1))
  const whole = await readFile(path)
  const at = whole.length - 200
  await truncate(path, at)
  const journal = join(left.dir, 'recordings', journalFolder, journalName(1))
  await mkdir(dirname(journal), { recursive: true })
  const file = relative(join(left.dir, 'recordings'), path)
  await writeFile(journal, Buffer.concat([journalMagic, encodeAppended([{ file, at, bytes: whole.subarray(at) }])]))
  return { ...left, journal }
}

test('what a power failure took from a recording is put back before its session is told as over', async () => {
  const { world, dir, journal } = await powerFailed()
  const { enrolmentToken: _, ...options } = world.options
  const logged: unknown[] = []
  const gateway = await startGateway({ ...options, dir, log: (...said) => void logged.push(said) })
  expect(await reported(world.plane, 'ended')).toMatchObject({
    reason: 'the gateway stopped before the session had ended',
    head: { segment: 1, events: 4 },
  })
  expect(logged).toContainEqual(['recordings-put-back', { bytes: 200 }])
  await gateway.stop()
  await expect(readFile(journal)).rejects.toThrow('ENOENT')
})

test('where it cannot be put back the gateway does not start, and keeps it', async () => {
  const { world, dir, journal, folder } = await powerFailed()
  const kept = await readFile(journal)
  await rm(join(folder, segmentName(1)))
  await mkdir(join(folder, segmentName(1)))
  const { enrolmentToken: _, ...options } = world.options
  await expect(startGateway({ ...options, dir })).rejects.toMatchObject({
    code: 'setting',
    message: expect.stringContaining('could not be put back into the recordings in'),
    remedy: expect.stringContaining('start again'),
  })
  expect(await readFile(journal)).toEqual(kept)
})
