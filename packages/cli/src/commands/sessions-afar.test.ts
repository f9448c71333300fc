/** Recordings that are somewhere else, as the command line asks for them, checks them and shows them. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { forgetRecording } from '@tidegate/gateway'
import { describe, expect, it } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import { harnessWithServer } from '../testing/context.ts'
import type { Recorded } from '../testing/recordings.ts'
import { dataFolder, record } from '../testing/recordings.ts'
import { noon, sessionOf } from '../testing/things.ts'

const reason = ['--reason', 'Case 17']

type Changed = {
  readonly bytes?: (bytes: Buffer) => Buffer
  readonly why?: 'all' | 'nothing' | 'cut-off' | 'unreadable'
}

/** The gateway's side of it: the file of the recording in two pieces, and that there is no more. */
async function serving({ session: id, folder, head }: Recorded, changed: Changed = {}): Promise<Handlers> {
  const whole = (changed.bytes ?? ((bytes) => bytes))(await readFile(join(folder, '000001.tgrec')))
  const { session: _session, ...anchored } = head()
  const session = sessionOf({ id, head: anchored })
  const parts = changed.why === undefined ? [whole.subarray(0, 100), whole.subarray(100)] : []
  const pieces = [
    ...parts.map((bytes) => ({ what: 'bytes', segment: 1, bytes: bytes.toString('base64') }) as const),
    { what: 'over', why: changed.why ?? 'all' } as const,
  ]
  return {
    viewRecording: () => ({ view: 'viw_1', session, head: anchored }),
    readRecording: ({ after }) => ({
      pieces: pieces.map((piece, n) => ({ number: n + 1, piece })).slice(after, after + 1),
    }),
    closeView: () => ({}),
    getSession: () => session,
  }
}

const recorded = async (): Promise<Recorded> => record(await dataFolder(), 'ses_1')

describe('looking at a session from afar', () => {
  it.each([
    ['sessions', 'show', 'ses_1', '--statements', ...reason],
    ['sessions', 'follow', 'ses_1', ...reason],
  ])('with %s %s prints what was done and what holds, and lets go of it', async (...argv) => {
    const { run, stdout, stderr, server } = await harnessWithServer(await serving(await recorded()))
    expect(await run(...argv)).toBe(0)
    expect(stdout()).toContain('select * from orders where id = $1 and note = $2 $1="4711" $2=null')
    expect(stdout()).toContain('refused by read-only: DROP changes something')
    expect(stdout()).not.toContain('\u009b')
    expect(stderr()).toMatch(/Holds: 4 events in 1 block, to the end of the session, as anchored\./)
    expect(server.callsOf('viewRecording')[0]?.input).toMatchObject({ reason: 'Case 17', follow: argv[1] === 'follow' })
    expect(server.callsOf('closeView')).toHaveLength(1)
  })

  it('exports lines of JSON, the last of them the verdict', async () => {
    const { run, stdout } = await harnessWithServer(await serving(await recorded()))
    expect(await run('sessions', 'export', 'ses_1', ...reason)).toBe(0)
    const lines = stdout().trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'recording',
      'statement',
      'result',
      'statement',
      'refused',
      'verdict',
    ])
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ ok: true, state: 'ended', anchoredEvents: 4 })
  })

  it('says no reason, no look', async () => {
    const { run, server, stderr } = await harnessWithServer(await serving(await recorded()))
    expect(await run('sessions', 'show', 'ses_1', '--statements')).toBe(2)
    expect(await run('sessions', 'follow', 'ses_1')).toBe(2)
    expect(await run('sessions', 'export', 'ses_1')).toBe(2)
    expect(stderr()).toContain('says why')
    expect(server.calls).toEqual([])
  })

  it.each([
    ['was changed on its way', { bytes: (bytes: Buffer) => bytes.fill(1, 300, 301) }],
    ['was cut', { bytes: (bytes: Buffer) => bytes.subarray(0, 400) }],
    ['is not there', { why: 'nothing' as const }],
  ])('of a recording that %s exits with 8', async (_what, changed) => {
    const { run, stderr, server } = await harnessWithServer(await serving(await recorded(), changed))
    expect(await run('sessions', 'show', 'ses_1', '--statements', ...reason)).toBe(8)
    expect(stderr()).toContain('Does not hold')
    expect(server.callsOf('closeView')).toHaveLength(1)
  })

  it('does not take what broke off, or cannot be read, for a recording', async () => {
    const cut = await harnessWithServer(await serving(await recorded(), { why: 'cut-off' }))
    expect(await cut.run('sessions', 'export', 'ses_1', ...reason)).toBe(7)
    expect(cut.stderr()).toContain('began anew')
    const unreadable = await harnessWithServer(await serving(await recorded(), { why: 'unreadable' }))
    expect(await unreadable.run('sessions', 'export', 'ses_1', ...reason)).toBe(1)
  })
})

describe('a recording that was deleted', () => {
  const forgotten = async () => {
    const one = await recorded()
    const head = one.head()
    const deletion = { by: 'user:sam', reason: 'Erasure request 12' }
    const { digest } = await forgetRecording(one.folder, { what: 'all', ...deletion, at: noon, head })
    const { session: _session, ...anchored } = head
    const askedAt = new Date(noon).toISOString()
    const sessionWith = (more: object): Handlers => ({
      getSession: () => sessionOf({ id: 'ses_1', head: anchored, ...more }),
    })
    return { one, sessionWith, deletion: { ...deletion, askedAt }, digest }
  }

  it('holds where the log has its tombstone, and does not where the log has another or none', async () => {
    const { one, sessionWith, deletion, digest } = await forgotten()
    const verify = async (more: object): Promise<[number, string]> => {
      const { run, stdout } = await harnessWithServer(sessionWith(more))
      return [await run('recordings', 'verify', one.data, '--anchored'), stdout()]
    }
    expect(await verify({ deletion: { ...deletion, at: deletion.askedAt, digest } })).toEqual([
      0,
      expect.stringMatching(/^Holds: ses_1: deleted on .* by user:sam: Erasure request 12/),
    ])
    const other = { ...deletion, at: deletion.askedAt, digest: 'x'.repeat(43) }
    expect((await verify({ deletion: other }))[0]).toBe(8)
    expect(await verify({})).toEqual([8, expect.stringContaining('the log knows of no deletion')])
    // It was asked for, and its gateway has not said yet that it is done.
    expect((await verify({ deletion }))[0]).toBe(0)
  })

  it('is asked for with a reason, and said to be on its way', async () => {
    const { sessionWith, deletion } = await forgotten()
    const session = sessionOf({ id: 'ses_1', deletion })
    const { run, stdout, server } = await harnessWithServer({ ...sessionWith({}), forgetRecording: () => session })
    expect(await run('recordings', 'forget', 'ses_1')).toBe(2)
    expect(await run('recordings', 'forget', 'ses_1', '--reason', 'Erasure request 12')).toBe(0)
    expect(stdout()).toMatch(/^Asked: the recording of ses_1 is to be deleted; its gateway \S+ is told\.$/m)
    expect(server.callsOf('forgetRecording')[0]?.input).toEqual({ id: 'ses_1', reason: 'Erasure request 12' })
  })
})

describe('usage', () => {
  it('says what was never used, out of how much, and of how much nothing is known', async () => {
    const counts = { grants: 2, sessions: 5, counted: 3, withoutData: 2, incomplete: 0 }
    const { run, stdout, server } = await harnessWithServer({
      roleUsage: () => ({
        since: new Date(noon).toISOString(),
        items: [
          {
            role: 'orders-db/writer',
            ...counts,
            used: { 'shop.orders': ['SELECT'] },
            comparison: { unused: { 'shop.orders': ['insert'] }, narrower: {}, elsewhere: [] },
          },
          { role: 'orders-db/readonly', ...counts, counted: 0, withoutData: 5 },
        ],
      }),
    })
    expect(await run('usage', '--days', '30')).toBe(0)
    expect(stdout()).toContain('2 grants, 5 sessions, 3 counted; of 2 nothing is known')
    expect(stdout()).toContain('never used  insert on shop.orders')
    expect(stdout()).toContain('no data: nothing can be said of what was used')
    expect(server.callsOf('roleUsage')[0]?.input).toMatchObject({ days: 30 })
  })
})
