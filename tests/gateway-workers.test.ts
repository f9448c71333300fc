/** A gateway of several processes, with a server: what is about one session reaches the process that has it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { instant } from '@tidegate/core'
import { type Head, recordingFolder, verifyRecording } from '@tidegate/gateway'
import { expect, onTestFinished, test } from 'vitest'
import { readFromAfar } from '../packages/cli/src/recordings/afar.ts'
import { onTarget, opened } from './support/access.ts'
import { logIn, sessionsOf, untilAsleep } from './support/connected.ts'
import { eventually } from './support/eventually.ts'
import { scratchFolder } from './support/folders.ts'
import { createGatewayWorld } from './support/gateways.ts'
import { awaiting, connect, createAskingWorldForTest, maintaining } from './support/statements.ts'
import type { World } from './support/tidegate.ts'

const reason = 'Case 17'
const workers = 2

/** What was done, and the verdict. */
async function lookAt({ as }: World, id: string) {
  const texts: string[] = []
  for await (const item of readFromAfar(
    { sleep: async () => undefined },
    { client: as('sam'), wish: { session: id, reason, follow: false } },
  )) {
    if (item.item === 'event' && item.event.type === 'statement') texts.push(JSON.stringify(item.event.text))
    if (item.item === 'verdict') return { texts, verdict: item.verdict }
  }
  throw new Error('it ended without a verdict')
}

test('each session is asked about, ended, looked at and forgotten where it is, at any of the workers', async () => {
  const guard = JSON.stringify({ ask: [{ statements: ['DELETE'] }] })
  const asking = await createAskingWorldForTest({ guard, gateway: { workers } })
  const { world } = asking
  const { credential } = await maintaining(asking, 'alice')
  const two = [await connect(credential), await connect(credential)]
  for (const [i, { query }] of two.entries()) {
    const deleted = query(`delete from shop.orders where id = ${i + 1}`)
    const [statement] = await awaiting(world.as('bob'))
    await world.as('bob').approveStatement({ id: statement!.id })
    expect((await deleted).rowCount).toBe(1)
  }
  for (const { id } of await sessionsOf(world.admin, 2)) await world.as('dora').killSession({ id, reason })
  for (const { ended } of two) expect(await ended).toContain('by user:dora')
  const over = await sessionsOf(world.admin, 2, 'false')
  expect(over.map(({ endReason }) => endReason).every((why) => why?.includes('by user:dora'))).toBe(true)
  for (const { id } of over) {
    const { texts, verdict } = await lookAt(world, id)
    expect(texts).toEqual([expect.stringContaining('delete from shop.orders')])
    expect(verdict).toMatchObject({ ok: true, state: 'ended' })
    await world.as('dora').forgetRecording({ id, reason })
  }
  await eventually(async () => {
    for (const { id } of over) expect((await world.admin.getSession({ id })).deletion?.digest).toBeDefined()
  })
})

type Process = { readonly child: ChildProcess; readonly workers: readonly number[] }

/** As people run it. */
async function startProcess(
  { server }: World,
  dir: string,
  more: { workers: number; token?: string },
): Promise<Process> {
  const main = join(import.meta.dirname, '..', 'packages', 'cli', 'src', 'main.ts')
  const argv = ['--conditions=source', '--import', 'tsx', main, 'gateway', '--url', server.url, '--data', dir]
  const child = spawn(process.execPath, [...argv, '--listen', '127.0.0.1:0', '--workers', String(more.workers)], {
    env: { ...process.env, ...(more.token && { TIDEGATE_ENROLMENT_TOKEN: more.token }) },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  for await (const line of createInterface(child.stderr)) {
    if (line.includes('listens at')) break
  }
  return { child, workers: childrenOf(child.pid ?? 0) }
}

const childrenOf = (pid: number): readonly number[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter((one) => one !== '' && readFileSync(`/proc/${one}/cmdline`, 'utf8').includes('worker-main'))
      .map(Number),
  )

test('with the process that was started all of them end, and however many come next tell what became of it', async () => {
  const world = await createGatewayWorld({ background: true, time: 'system' })
  const { enrolmentToken } = await world.server.inviteGateway('gw-1')
  const dir = scratchFolder()
  const first = await startProcess(world, dir, { workers, token: enrolmentToken })
  expect(first.workers).toHaveLength(workers)
  const { credential } = await opened(world.as('alice'))
  const clients = [await logIn(credential), await logIn(credential), await logIn(credential)]
  for (const { client } of clients) await client.query('select 1 as one')
  const anchored = await eventually(async () => {
    const heads = new Map<string, Head>()
    for (const { id } of await sessionsOf(world.admin, 3)) {
      const { head } = await world.admin.getSession({ id })
      expect(head).toBeDefined()
      heads.set(id, { session: id, ...head! })
    }
    return heads
  })
  const sleeping = clients[0]!.client.query('select pg_sleep(600)').catch(() => 'cut')
  await untilAsleep(world)
  first.child.kill('SIGKILL')
  await once(first.child, 'exit')
  for (const { ended } of clients) await ended
  expect(await sleeping).toBe('cut')
  // Nobody is left to cancel it: the target looks whether anyone waits for it.
  const asleep = `select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
  await eventually(async () => expect(await onTarget(world.target, asleep)).toHaveLength(0))
  const second = await startProcess(world, dir, { workers: 3 })
  expect(second.workers).toHaveLength(3)
  const over = await sessionsOf(world.admin, 3, 'false')
  for (const { id, endReason, startedAt } of over) {
    const head = anchored.get(id)
    expect(head).toBeDefined()
    expect(endReason).toContain('the gateway stopped before the session had ended')
    const folder = recordingFolder(join(dir, 'recordings'), id, instant(Date.parse(startedAt)))
    expect(await verifyRecording(folder, { head: head! })).toMatchObject({ ok: true, anchoredEvents: head!.events })
  }
  second.child.kill('SIGTERM')
  const [code] = await once(second.child, 'exit')
  expect(code).toBe(0)
})
