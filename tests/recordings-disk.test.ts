/** A gateway whose disk is full, and one that is killed: what becomes of its sessions, and what is left of them. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { instant } from '@tidegate/core'
import { readRecording, recordingFolder, verifyRecording } from '@tidegate/gateway'
import { expect, onTestFinished, test } from 'vitest'
import { mountSmallDisk } from './crash/small-disk.ts'
import { opened } from './support/access.ts'
import type { Credential } from './support/access.ts'
import { connectedWorld, logIn, sessionsOf } from './support/connected.ts'
import type { Session } from './support/connected.ts'
import { edited } from './support/edit.ts'
import { scratchFolder } from './support/folders.ts'
import { createGatewayWorld } from './support/gateways.ts'
import type { Parts, World } from './support/tidegate.ts'
import { defaultFiles } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

const owner = '    owner: orders-team'
const filesWith =
  (whenItFails: string) =>
  (parts: Parts): World['files'] =>
    edited(defaultFiles(parts), 'orders-db.yaml', [owner, `${owner}\n    recording: { whenItFails: ${whenItFails} }`])

const diskMiB = 4

/** What no compression makes smaller: a hundred of these do not fit beside the ballast. */
const noise = (): string =>
  `select '${Buffer.from(crypto.getRandomValues(new Uint8Array(30_000))).toString('hex')}' as x`

/** More than there is room for. Why it was not answered, where it was not. */
async function askMuch({ client, ended }: Session): Promise<string> {
  let over: string | undefined
  void ended.then((reason) => (over ??= reason))
  for (let n = 0; n < 60 && over === undefined; n++) {
    await client.query(noise()).catch(({ message }: Error) => (over ??= message))
  }
  return over ?? 'answered'
}

test.each(['end', 'go-on'])(
  'where the disk of recordings is full, policy (%s) decides of the sessions that are there and that come',
  { timeout: 120_000 },
  async (whenItFails) => {
    const disk = await mountSmallDisk(diskMiB)
    if (!disk) return
    onTestFinished(() => disk.unmount())
    const { world, options } = await connectedWorld(
      { dir: join(disk.path, 'gateway') },
      { files: filesWith(whenItFails) },
    )
    const { grant, credential } = await opened(world.as('alice'))
    const lasting = await logIn(credential)
    await lasting.client.query('select 1 as one')
    const [session] = await sessionsOf(world.admin, 1)
    await eventually(async () => expect((await world.admin.getSession({ id: session!.id })).head).toBeDefined())
    await disk.fill()
    const first = await askMuch(lasting)
    // There may be room for the beginning of another one, or not even for that.
    const second = await logIn(credential).then(askMuch, ({ message }: Error) => message)
    const failed = `the recording of this session failed: the disk of recordings is full (ENOSPC) (grant ${grant.id})`
    const refused = 'whether you may come in cannot be found out at the moment; try again'
    expect(first).toBe(whenItFails === 'end' ? failed : 'answered')
    expect(whenItFails === 'end' ? [failed, refused] : ['answered']).toContain(second)
    await lasting.client.end().catch(() => undefined)
    const known = await eventually(async () => {
      const now = await world.admin.getSession({ id: session!.id })
      expect(now.endedAt).toBeDefined()
      return now
    })
    const folder = recordingFolder(join(options.dir, 'recordings'), known.id, instant(Date.parse(known.startedAt)))
    const head = { session: known.id, ...known.head! }
    expect(await verifyRecording(folder, { head })).toMatchObject({
      ok: true,
      state: expect.stringMatching(/^(unfinished|torn)$/),
    })
    // What is counted is what was done; what is recorded is what there was room for.
    expect(known.statements!).toBeGreaterThan(head.events / 2)
  },
)

type Killed = { readonly answers: readonly number[]; readonly at: number }

/** Asks one thing after the other, each by its number, until the gateway is gone. */
async function askUntilGone(credential: Credential, gone: Promise<unknown>): Promise<Killed> {
  const { client } = await logIn(credential)
  const answers: number[] = []
  let at = 0
  void gone.then((time) => (at = Number(time)))
  for (let n = 1; ; n++) {
    try {
      await client.query(`select ${n} as n`)
    } catch {
      return { answers, at }
    }
    answers.push(Date.now())
  }
}

async function startProcess(url: string, token: string) {
  const dir = scratchFolder()
  const main = join(import.meta.dirname, '..', 'packages', 'cli', 'src', 'main.ts')
  const argv = ['--conditions=source', '--import', 'tsx', main, 'gateway', '--url', url, '--data', dir]
  const env = { ...process.env, TIDEGATE_ENROLMENT_TOKEN: token }
  const child = spawn(process.execPath, [...argv, '--listen', '127.0.0.1:0'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface(child.stderr)) {
    if (line.includes('listens at')) break
  }
  return { child, dir }
}

test(
  'a gateway that is killed has on disk all that it answered but the last second',
  { timeout: 120_000 },
  async () => {
    const world = await createGatewayWorld({ background: true, time: 'system' })
    const { enrolmentToken } = await world.server.inviteGateway('gw-1')
    const { child, dir } = await startProcess(world.server.url, enrolmentToken)
    const { credential } = await opened(world.as('alice'))
    let killed: (at: number) => void = () => undefined
    const gone = new Promise<number>((resolve) => (killed = resolve))
    const asking = askUntilGone(credential, gone)
    const [session] = await sessionsOf(world.admin, 1)
    const head = await eventually(async () => {
      const known = await world.admin.getSession({ id: session!.id })
      expect(known.head).toBeDefined()
      return { session: known.id, ...known.head! }
    })
    const at = Date.now()
    child.kill('SIGKILL')
    killed(at)
    await once(child, 'exit')
    const { answers } = await asking
    const folder = recordingFolder(join(dir, 'recordings'), session!.id, instant(Date.parse(session!.startedAt)))
    let recorded = 0
    for await (const { type } of readRecording(folder, { head })) if (type === 'statement') recorded += 1
    expect(recorded).toBeGreaterThan(10)
    const firstLost = answers[recorded]
    if (firstLost !== undefined) expect(at - firstLost).toBeLessThanOrEqual(1_000)
  },
)
