import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import type { Head } from './format/head.ts'
import { recordingFolder } from './format/place.ts'
import { verifyRecording } from './read/verify.ts'
import type { Said } from './testing/crash-child.ts'
import { manualClock } from './testing/manual-clock.ts'
import { keepAll, readAll, sampleEvents, sampleSession, sampleStart, until } from './testing/sample.ts'
import { createRecorders } from './write/recorder.ts'

const child = join(dirname(fileURLToPath(import.meta.url)), 'testing', 'crash-child.ts')

/** Kills a recording process after it has said so many lines. Returns all that it said. */
async function killAfter(dir: string, lines: number): Promise<Said[]> {
  const args = ['--conditions=source', '--import', 'tsx', child, dir]
  const recording = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void recording.kill('SIGKILL'))
  const said: Said[] = []
  for await (const line of createInterface(recording.stdout)) {
    said.push(JSON.parse(line) as Said)
    if (said.length === lines) recording.kill('SIGKILL')
  }
  return said
}

test.each([1_000, 2_357, 5_003])(
  'a process that is killed after %i words loses at most the last second of what it recorded',
  async (lines) => {
    const dir = scratchFolder()
    const said = await killAfter(dir, lines)
    const recorded = said.filter((one) => 'recorded' in one)
    const head = said.findLast((one) => 'head' in one)?.head
    const folder = recordingFolder(dir, 'ses_sample', sampleStart)
    const read = await readAll(folder, head === undefined ? {} : { head })
    const lost = recorded.slice(read.length)
    expect(read.length).toBeGreaterThan(0)
    expect((recorded.at(-1)?.at ?? 0) - (lost[0]?.at ?? Infinity)).toBeLessThanOrEqual(1_000)
    expect(await verifyRecording(folder, head === undefined ? {} : { head })).toMatchObject({
      ok: true,
      state: expect.stringMatching(/^(unfinished|torn)$/),
    })
  },
)

const isRoot = process.getuid?.() === 0

/** A disk of so many bytes; `undefined` where this machine does not let us have one. @throws in CI, where it has to */
function smallDisk(bytes: number): string | undefined {
  const folder = join(scratchFolder(), 'disk')
  mkdirSync(folder)
  const sh = (command: string): boolean => spawnSync('sh', ['-c', command, '', folder]).status === 0
  if (!sh(`mount -t tmpfs -o size=${bytes} tmpfs "$1"`)) {
    if (process.env['CI'] === 'true') throw new Error('no disk could be mounted, so that a full one is not tested')
    return undefined
  }
  onTestFinished(() => void sh('umount -l "$1"'))
  return folder
}

// Only root mounts; others have the same fault from a file system of ours, beside the recorder.
test.runIf(isRoot)(
  'a disk that is full ends the recording in words, and what was written still holds',
  async (context) => {
    const disk = smallDisk(256 * 1_024)
    if (disk === undefined) return context.skip('this machine does not let us mount a disk')
    const clock = manualClock()
    const heads: Head[] = []
    const recorders = createRecorders({ dir: disk, clock })
    const recorder = recorders.open({ session: sampleSession(), policy: keepAll, anchor: (head) => heads.push(head) })
    let reason: string | undefined
    void recorder.failed.then((words) => (reason = words))
    const [statement] = sampleEvents(1)
    for (let i = 1; reason === undefined; i++) {
      const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(20_000))).toString('latin1')
      recorder.record({ ...statement!, statement: i, text: noise } as never)
      clock.advance(500)
      const before = recorder.head().events
      await until(() => reason !== undefined || recorder.head().events > before)
    }
    expect(reason).toBe('the disk of recordings is full (ENOSPC)')
    expect(heads.at(-1)).toEqual(recorder.head())
    expect(heads.at(-1)!.events).toBeGreaterThan(3)
    const folder = recordingFolder(disk, 'ses_sample', sampleStart)
    expect(await verifyRecording(folder, { head: heads.at(-1)! })).toMatchObject({
      ok: true,
      state: expect.stringMatching(/^(unfinished|torn)$/),
      anchoredEvents: heads.at(-1)!.events,
    })
    recorder.record(statement!)
    expect(recorder.pressure()).toBeUndefined()
    await recorders.close()
  },
)

test('a process that ends in good order leaves nothing that keeps it alive', async () => {
  const code = `
    import { createRecorders } from '${join(dirname(child), '..', 'write', 'recorder.ts')}'
    const session = ${JSON.stringify(sampleSession())}
    const policy = { text: 'keep', parameters: 'keep', rows: 'none' }
    const recorders = createRecorders({ dir: ${JSON.stringify(scratchFolder())} })
    const recorder = recorders.open({ session, policy, anchor: () => undefined })
    recorder.record({ type: 'cancel', at: 1, statement: 1 })
    await recorder.end()
    console.log('ended')`
  const args = ['--conditions=source', '--import', 'tsx', '--input-type=module', '--eval', code]
  const ended = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [[status]] = (await Promise.all([once(ended, 'exit'), once(ended.stdout, 'data')])) as [[number], unknown]
  expect(status).toBe(0)
})
