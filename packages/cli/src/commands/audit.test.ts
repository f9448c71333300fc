import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bundlePath } from '@tidegate/audit'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Handlers } from '../testing/api-server.ts'
import { connectionLost, startApiServer } from '../testing/api-server.ts'
import type { Setup } from '../testing/context.ts'
import { harness, harnessWithServer } from '../testing/context.ts'
import type { PublishedLog } from '../testing/published-log.ts'
import { entriesOf, newSigner, publishLog, rotatedLog } from '../testing/published-log.ts'
import { token } from '../testing/things.ts'

async function logHarness(first: PublishedLog, { handlers = {}, ...setup }: Setup & { handlers?: Handlers } = {}) {
  let log = first
  const server = await startApiServer(handlers, (path) => log.files.get(path.replace(/^\/log\//, '')))
  onTestFinished(server.close)
  const env = { TIDEGATE_URL: server.url, TIDEGATE_TOKEN: token }
  return {
    ...(await harness({ ...setup, env })),
    server,
    publish: (next: PublishedLog) => {
      log = next
    },
  }
}

const signer = newSigner()

describe('verifying the log of a server', () => {
  it('trusts its key once, says so, and remembers it for its owner alone', async () => {
    const { run, home, stdout, stderr } = await logHarness(publishLog(signer, entriesOf(300)))
    expect(await run('audit', 'verify')).toBe(0)
    expect(stdout()).toContain('Verified: http://127.0.0.1')
    expect(stdout()).toContain('300 entries')
    expect(stderr()).toContain('This key came from the log itself')
    const state = join(home, '.local/state/tidegate/log')
    const [file = ''] = await readdir(state)
    expect((await stat(join(state, file))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(state, file), 'utf8'))).toMatchObject({ key: signer.vkey })
  })

  it('goes on from what was verified, and accepts a log that has grown', async () => {
    const { run, publish, stdout, stderr } = await logHarness(publishLog(signer, entriesOf(10)))
    await run('audit', 'verify')
    publish(publishLog(signer, entriesOf(300)))
    expect(await run('audit', 'verify')).toBe(0)
    expect(stdout()).toContain('It goes on from the checkpoint that was verified last.')
    expect(stderr().match(/This key came from/g)).toHaveLength(1)
  })

  it('sends no token', async () => {
    const log = publishLog(signer, entriesOf(3))
    const { run, context } = await logHarness(log)
    const headers: unknown[] = []
    const spying: typeof fetch = async (input, init) => {
      headers.push(init?.headers)
      return fetch(input, init)
    }
    Object.assign(context, { fetch: spying })
    expect(await run('audit', 'verify')).toBe(0)
    expect(headers.length).toBeGreaterThan(2)
    expect(JSON.stringify(headers)).not.toContain('tdg_')
  })

  it.each([
    ['cut', publishLog(signer, entriesOf(5)), /The log was cut/],
    ['rewritten', publishLog(signer, entriesOf(20, 'other')), /The log was rewritten/],
    ['re-keyed', publishLog(newSigner(), entriesOf(20)), /it was replaced/],
    ['replaced by one of another name', publishLog(newSigner('else.example'), entriesOf(20)), /it was replaced/],
  ])('refuses a log that was %s, and goes on remembering the one before', async (_what, next, message) => {
    const first = publishLog(signer, entriesOf(10))
    const { run, publish, stdout } = await logHarness(first)
    await run('audit', 'verify')
    publish(next)
    expect(await run('audit', 'verify')).toBe(8)
    expect(stdout()).toMatch(message)
    publish(first)
    expect(await run('audit', 'verify')).toBe(0)
  })

  it('refuses a log with one byte changed, and names the entry', async () => {
    const log = publishLog(signer, entriesOf(10))
    const path = bundlePath({ index: 0, width: 10 })
    const bytes = Buffer.from(log.files.get(path) ?? [])
    bytes.write('E', bytes.indexOf('entry 7'))
    log.files.set(path, bytes)
    const { run, stdout } = await logHarness(log)
    expect(await run('audit', 'verify')).toBe(8)
    expect(stdout()).toContain('The first bad entry is number 7.')
  })

  it('refuses another key than the one remembered', async () => {
    const { run, stderr } = await logHarness(publishLog(signer, entriesOf(3)))
    await run('audit', 'verify')
    expect(await run('audit', 'verify', '--key', newSigner().vkey)).toBe(8)
    expect(stderr()).toContain('remembered with another key')
  })

  it('goes on where the log has changed its key by itself, says so, and knows both keys from then on', async () => {
    const next = newSigner()
    const { run, publish, stdout } = await logHarness(publishLog(signer, entriesOf(10)))
    await run('audit', 'verify')
    publish(await rotatedLog(signer, next))
    expect(await run('audit', 'verify')).toBe(0)
    expect(stdout()).toContain(`Signed by ${next.vkey}`)
    expect(stdout()).toContain(`handed over, after ${signer.vkey}`)
    for (const { vkey } of [signer, next]) expect(await run('audit', 'verify', '--key', vkey)).toBe(0)
    publish(publishLog(signer, entriesOf(30)))
    expect(await run('audit', 'verify')).toBe(8)
  })

  it('takes the next key from who gives it, where the one that is remembered leads there', async () => {
    const next = newSigner()
    const { run, publish, stderr } = await logHarness(publishLog(signer, entriesOf(10)))
    await run('audit', 'verify')
    publish(await rotatedLog(signer, next))
    expect(await run('audit', 'verify', '--key', newSigner().vkey)).toBe(8)
    expect(stderr()).toContain('does not lead from there')
    expect(await run('audit', 'verify', '--key', next.vkey)).toBe(0)
  })

  it('copies a log that has changed its key, and verifies the copy with any of them', async () => {
    const next = newSigner()
    const { run, home, publish } = await logHarness(publishLog(signer, entriesOf(10)))
    const [early, late] = [join(home, 'early'), join(home, 'late')]
    expect(await run('audit', 'export', early)).toBe(0)
    publish(await rotatedLog(signer, next))
    expect(await run('audit', 'export', late)).toBe(0)
    for (const { vkey } of [signer, next]) expect(await run('audit', 'verify', '--dir', late, '--key', vkey)).toBe(0)
    // With what is remembered: one of them is from before the change.
    for (const dir of [early, late]) expect(await run('audit', 'verify', '--dir', dir)).toBe(0)
  })

  it('does not forget because the file of it was damaged', async () => {
    const { run, home } = await logHarness(publishLog(signer, entriesOf(3)))
    await run('audit', 'verify')
    const state = join(home, '.local/state/tidegate/log')
    const [file = ''] = await readdir(state)
    await writeFile(join(state, file), '{}')
    expect(await run('audit', 'verify')).toBe(1)
  })

  it('is 6 where there is no log, 7 where nothing answers, and 2 for what is no key', async () => {
    const { run, server } = await logHarness({ ...publishLog(signer, []), files: new Map() })
    expect(await run('audit', 'verify')).toBe(6)
    expect(await run('audit', 'verify', '--key', 'log+00000000+AAAA')).toBe(2)
    await server.close()
    expect(await run('audit', 'verify')).toBe(7)
    expect(await run('audit', 'verify', '--key', signer.vkey)).toBe(7)
  })

  it('gives its verdict as JSON, good or bad', async () => {
    const { run, publish, stdout } = await logHarness(publishLog(signer, entriesOf(10)))
    await run('audit', 'verify', '-o', 'json')
    expect(JSON.parse(stdout())).toMatchObject({ ok: true, size: 10, key: signer.vkey })
    publish(publishLog(signer, entriesOf(5)))
    const before = stdout().length
    expect(await run('audit', 'verify', '-o', 'json')).toBe(8)
    expect(JSON.parse(stdout().slice(before))).toMatchObject({ ok: false, reason: 'shrunk' })
  })
})

describe('a copy of the log', () => {
  it('is exported, verified, and verifies offline with its key', async () => {
    const { run, home, server, stdout } = await logHarness(publishLog(signer, entriesOf(300)))
    const copy = join(home, 'copy')
    expect(await run('audit', 'export', copy)).toBe(0)
    await server.close()
    expect(await run('audit', 'verify', '--dir', copy, '--key', signer.vkey)).toBe(0)
    expect(await run('audit', 'verify', '--dir', copy)).toBe(0)
    expect(stdout().match(/Verified: /g)).toHaveLength(3)
    expect(await run('audit', 'verify', '--dir', copy, '--key', newSigner().vkey)).toBe(8)
  })

  it('does not vouch for itself', async () => {
    const log = publishLog(signer, entriesOf(3))
    const { run, context } = await harness()
    const copy = join(context.home, 'copy')
    for (const [path, bytes] of log.files) {
      await mkdir(dirname(join(copy, path)), { recursive: true })
      await writeFile(join(copy, path), bytes)
    }
    expect(await run('audit', 'verify', '--dir', copy)).toBe(2)
    await writeFile(join(copy, bundlePath({ index: 0, width: 3 })), 'tampered')
    expect(await run('audit', 'verify', '--dir', copy, '--key', signer.vkey)).toBe(8)
  })
})

describe('a receipt', () => {
  const log = publishLog(signer, entriesOf(10))
  const getReceipt: Handlers['getReceipt'] = async ({ id }) => ({
    entry: id,
    index: 4,
    proof: await log.receipt(4),
    verifierKey: log.vkey,
  })

  it('is written to a new file and verifies offline', async () => {
    const { run, home, server, stdout } = await harnessWithServer({ getReceipt })
    const file = join(home, 'grant.tlog-proof')
    expect(await run('audit', 'receipt', 'grt_1', '--out', file)).toBe(0)
    expect(await readFile(file, 'utf8')).toBe(await log.receipt(4))
    expect(await run('audit', 'receipt', 'grt_1', '--out', file)).toBe(2)
    await server.close()
    expect(await run('audit', 'verify-receipt', file, '--key', log.vkey)).toBe(0)
    expect(stdout()).toContain('Verified: entry 4 of the 10 of log.example.')
    expect(stdout()).toContain('about="entry 4"')
    expect(await run('audit', 'verify-receipt', file, '--key', newSigner().vkey)).toBe(8)
  })

  it('is printed as it is without --out', async () => {
    const { run, stdout } = await harnessWithServer({ getReceipt })
    expect(await run('audit', 'receipt', 'grt_1')).toBe(0)
    expect(stdout()).toBe(await log.receipt(4))
  })

  it('that does not verify is not handed over', async () => {
    const { run, home, stdout } = await harnessWithServer({
      getReceipt: async () => ({ entry: 'e', index: 4, proof: await log.receipt(4), verifierKey: newSigner().vkey }),
    })
    const file = join(home, 'x.tlog-proof')
    expect(await run('audit', 'receipt', 'grt_1', '--out', file)).toBe(8)
    await expect(stat(file)).rejects.toThrow('ENOENT')
    expect(stdout()).toBe('')
  })

  it('that was changed, or is none, does not verify', async () => {
    const { run, home } = await harness()
    const file = join(home, 'x.tlog-proof')
    await writeFile(file, (await log.receipt(4)).replace('index 4', 'index 5'))
    expect(await run('audit', 'verify-receipt', file, '--key', log.vkey)).toBe(8)
    await writeFile(file, 'nonsense')
    expect(await run('audit', 'verify-receipt', file, '--key', log.vkey)).toBe(8)
    expect(await run('audit', 'verify-receipt', join(home, 'none'), '--key', log.vkey)).toBe(2)
  })
})

describe('tail', () => {
  const entryOf = (id: number) => ({
    id: `ent_${id}`,
    type: 'request.filed',
    at: '2026-11-21T12:00:00Z',
    index: id,
    entry: {
      v: 1,
      id: `ent_${id}`,
      type: 'request.filed',
      at: '2026-11-21T12:00:00Z',
      role: 'orders-db/readonly',
      reason: 'c1:abc',
      principal: 'c1:def',
    },
    disclosed: { '/reason': 'Look into\u001b[2J it' },
  })

  it('prints the latest entries oldest first, with what is disclosed and without what is not', async () => {
    const { run, stdout, server } = await harnessWithServer({
      listEntries: () => ({ items: [entryOf(2), entryOf(1)] }),
    })
    expect(await run('audit', 'tail', '-n', '2', '--grant', 'grt_1', '--type', 'request.filed')).toBe(0)
    expect(server.calls[0]?.input).toEqual({ limit: 2, grant: 'grt_1', type: 'request.filed' })
    expect(stdout()).toBe(
      [1, 2]
        .map(
          (id) =>
            `2026-11-21 12:00:00 #${id} request.filed role=orders-db/readonly reason="Look into\\u001b[2J it" principal=(sealed)\n`,
        )
        .join(''),
    )
  })

  it('follows over pages and a server that restarts, each entry once, until Ctrl-C', async () => {
    const all = [1]
    const { run, stdout, signals } = await harnessWithServer(
      {
        listEntries: ({ cursor, limit }) => {
          if (all.length === 1 && cursor === undefined && limit === 50) throw connectionLost
          const newest = all.toReversed()
          const start = Number(cursor ?? 0)
          const items = newest.slice(start, start + 2).map(entryOf)
          return { items, ...(start + 2 < newest.length && { next: String(start + 2) }) }
        },
      },
      {
        onSleep: (count) => {
          if (count === 1) all.push(2, 3, 4, 5, 6)
          if (count === 3) all.push(7)
          if (count === 5) signals.emit('SIGINT')
        },
      },
    )
    expect(await run('audit', 'tail', '--follow', '-o', 'json')).toBe(0)
    const ids = stdout()
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { index: number }).index)
    expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7])
  })
})
