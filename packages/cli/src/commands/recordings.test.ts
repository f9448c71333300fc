/** Recordings on the machine that has them, written by the gateway's own recorder. */

import { readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ApiError } from '@tidegate/api'
import { describe, expect, it } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import { harness, harnessWithServer } from '../testing/context.ts'
import type { Recorded } from '../testing/recordings.ts'
import { dataFolder, events, openRecording, record } from '../testing/recordings.ts'
import { sessionOf } from '../testing/things.ts'

const segmentOf = ({ folder }: Recorded): string => join(folder, '000001.tgrec')

async function flipByteOf(recorded: Recorded): Promise<void> {
  const bytes = await readFile(segmentOf(recorded))
  bytes[200]! ^= 1
  await writeFile(segmentOf(recorded), bytes)
}

/** The server has of each session the head that its gateway anchored. */
const anchored = (...all: readonly Recorded[]): Handlers => ({
  getSession: ({ id }) => {
    const found = all.find(({ session }) => session === id)
    if (found === undefined) throw new ApiError('not-found')
    const { session: _session, ...head } = found.head()
    return sessionOf({ id, head })
  },
})

describe('verifying recordings', () => {
  it('takes the data folder, one recording, or a file of one', async () => {
    const data = await dataFolder()
    const [one] = [await record(data, 'ses_1'), await record(data, 'ses_2')]
    for (const [path, count] of [
      [data, 2],
      [join(data, 'recordings'), 2],
      [one.folder, 1],
      [segmentOf(one), 1],
    ] as const) {
      const { run, stdout, stderr } = await harness()
      expect(await run('recordings', 'verify', path)).toBe(0)
      expect(stdout().match(/^Holds: ses_\d/gm)).toHaveLength(count)
      expect(stderr()).toContain('Held against themselves only')
    }
  })

  it('finds the one that was changed among those that hold, and says where it is', async () => {
    const data = await dataFolder()
    const [, broken] = [await record(data, 'ses_1'), await record(data, 'ses_2')]
    await flipByteOf(broken)
    const { run, stdout, stderr } = await harness()
    expect(await run('recordings', 'verify', data)).toBe(8)
    expect(stdout()).toMatch(/^Holds: ses_1/m)
    expect(stdout()).toMatch(/^Does not hold: ses_2: .*\n {2}In .*\/ses_2$/m)
    expect(stderr()).toContain('1 recording holds, 1 does not.')
    expect(await run('recordings', 'verify', data, '--session', 'ses_1')).toBe(0)
  })

  it('prints one verdict a line with --output json', async () => {
    const data = await dataFolder()
    await record(data, 'ses_1')
    await flipByteOf(await record(data, 'ses_2'))
    const { run, stdout } = await harness()
    expect(await run('recordings', 'verify', data, '-o', 'json')).toBe(8)
    const verdicts = stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(verdicts).toMatchObject([
      { session: 'ses_1', ok: true, state: 'ended' },
      { session: 'ses_2', ok: false, reason: 'tampered' },
    ])
  })

  it('with --anchored finds what was cut at its end, which by itself still hangs together', async () => {
    const recorded = await record(await dataFolder(), 'ses_1')
    await truncate(segmentOf(recorded), recorded.head().bytes - 60)
    expect(await (await harness()).run('recordings', 'verify', recorded.folder)).toBe(0)
    const { run, stdout } = await harnessWithServer(anchored(recorded))
    expect(await run('recordings', 'verify', recorded.folder, '--anchored')).toBe(8)
    expect(stdout()).toContain('Does not hold: ses_1')
  })

  it('with --anchored holds what the server has', async () => {
    const data = await dataFolder()
    const all = [await record(data, 'ses_1'), await record(data, 'ses_2')]
    const { run, stderr } = await harnessWithServer(anchored(...all))
    expect(await run('recordings', 'verify', data, '--anchored')).toBe(0)
    expect(stderr()).toBe('2 recordings hold.\n')
  })

  it('with --anchored refuses one in the place of another, and one of a session that nobody knows', async () => {
    const data = await dataFolder()
    const [one, other] = [await record(data, 'ses_1'), await record(data, 'ses_2')]
    await rename(segmentOf(other), segmentOf(one))
    const { run, stdout } = await harnessWithServer(anchored(one))
    expect(await run('recordings', 'verify', one.folder, '--anchored')).toBe(8)
    await record(data, 'ses_3')
    expect(await run('recordings', 'verify', data, '--session', 'ses_3', '--anchored')).toBe(8)
    expect(stdout()).toContain('Does not hold: ses_3: the server knows no such session.')
  })

  it.each([
    [['/no/such/folder'], 'There is no /no/such/folder.'],
    [['/'], 'There is no recording in /.'],
    [['/', '--session', 'ses_1'], 'There is no recording of ses_1 in /.'],
  ])('says that there is nothing to verify, and does not call that good: %j', async (argv, message) => {
    const { run, stderr } = await harness()
    expect(await run('recordings', 'verify', ...argv)).toBe(6)
    expect(stderr()).toContain(message)
  })
})

describe('an export', () => {
  const lines = (text: string) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { readonly type: string })

  it('is JSON Lines of each recording, from its header to its verdict', async () => {
    const data = await dataFolder()
    await record(data, 'ses_1')
    await record(data, 'ses_2')
    const { run, stdout, stderr } = await harness()
    expect(await run('recordings', 'export', data)).toBe(0)
    const one = ['recording', ...events.map(({ type }) => type), 'verdict']
    expect(lines(stdout()).map(({ type }) => type)).toEqual([...one, ...one])
    expect(stderr()).toBe('')
  })

  it('has what a terminal would act on escaped, and is the same JSON', async () => {
    const data = await dataFolder()
    await record(data, 'ses_1')
    const { run, stdout } = await harness()
    await run('recordings', 'export', data)
    expect(stdout()).not.toContain('\u009b')
    expect(lines(stdout())[3]).toMatchObject({ type: 'statement', text: 'drop table orders\u009b31m' })
  })

  it('of what does not hold ends with that verdict, and with exit code 8', async () => {
    const recorded = await record(await dataFolder(), 'ses_1')
    await flipByteOf(recorded)
    const { run, stdout } = await harness()
    expect(await run('recordings', 'export', recorded.folder)).toBe(8)
    expect(lines(stdout()).at(-1)).toMatchObject({ type: 'verdict', ok: false })
  })

  it('has salts with --salts alone', async () => {
    const data = await dataFolder()
    await record(data, 'ses_1', { text: 'commit', parameters: 'commit', rows: 'none' })
    const [bare, salted] = [await harness(), await harness()]
    await bare.run('recordings', 'export', data)
    await salted.run('recordings', 'export', data, '--salts')
    expect(bare.stdout()).toContain('"commitment"')
    expect(bare.stdout()).not.toContain('"salt":')
    expect(salted.stdout()).toContain('"salt":')
  })
})

describe('following a recording', () => {
  it('shows who did what, as far as it is not sealed, until the session ends', async () => {
    const { folder } = await record(await dataFolder(), 'ses_1')
    const { run, stdout, stderr } = await harness()
    expect(await run('recordings', 'follow', folder)).toBe(0)
    expect(stdout()).toBe(`2026-11-21 12:00:00 #1 select * from orders where id = $1 and note = $2 $1="4711" $2=null
2026-11-21 12:00:00 #1 SELECT 1: 1 row in 3.3 ms
2026-11-21 12:00:00 #2 drop table orders31m
2026-11-21 12:00:00 #2 refused by read-only: DROP changes something
`)
    expect(stderr()).toContain('The session has ended.')
  })

  it('says of what is sealed only that it is', async () => {
    const { folder } = await record(await dataFolder(), 'ses_1', { text: 'commit', parameters: 'commit', rows: 'none' })
    const { run, stdout } = await harness()
    await run('recordings', 'follow', folder)
    expect(stdout()).toContain('#1 (sealed) $1=(sealed) $2=(sealed)')
    expect(stdout()).not.toContain('orders')
  })

  it('prints events as an export has them, a line each, with --output json', async () => {
    const { folder } = await record(await dataFolder(), 'ses_1')
    const { run, stdout } = await harness()
    await run('recordings', 'follow', folder, '-o', 'json')
    const types = stdout()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly type: string }).type)
    expect(types).toEqual(events.map(({ type }) => type))
  })

  it('goes on with what comes, and ends on Ctrl-C while the session goes on', async () => {
    const { recorder, data } = openRecording(await dataFolder(), 'ses_1')
    const [statement, result] = events
    recorder.record(statement!)
    while (recorder.head().events < 1) await new Promise((resolve) => setImmediate(resolve))
    const { run, signals, stdout, stderr } = await harness()
    const exit = run('recordings', 'follow', data, '--session', 'ses_1')
    while (!stdout().includes('#1 select')) await new Promise((resolve) => setImmediate(resolve))
    recorder.record(result!)
    while (!stdout().includes('#1 SELECT 1')) await new Promise((resolve) => setImmediate(resolve))
    signals.emit('SIGINT')
    expect(await exit).toBe(0)
    expect(stderr()).toContain('No longer following; the session goes on.')
  })

  it('asks which, where there are several', async () => {
    const data = await dataFolder()
    await record(data, 'ses_1')
    await record(data, 'ses_2')
    const { run, stderr } = await harness()
    expect(await run('recordings', 'follow', data)).toBe(2)
    expect(stderr()).toContain('Say which with --session')
    expect(await run('recordings', 'follow', data, '--session', 'ses_2')).toBe(0)
  })
})
