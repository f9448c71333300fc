/** The log is signed with another key from one moment on, whoever signs, and whoever verifies goes on. */

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  directorySource,
  directoryWriter,
  exportLog,
  httpSource,
  openCheckpoint,
  parseVerifierKey,
  verifyLog,
  verifyReceipt,
} from '@tidegate/audit'
import type { VerifierKey } from '@tidegate/audit'
import type { RunningServer } from '@tidegate/server'
import { expect, test, vi } from 'vitest'
import { createSequencer } from '../packages/server/src/log/sequencer.ts'
import { createSigning } from '../packages/server/src/log/signing.ts'
import { createMasterKey } from '../packages/server/src/secrets/keys.ts'
import { loadKeys } from '../packages/server/src/secrets/master-key.ts'
import { outcomeOf, permitted } from './support/access.ts'
import { makeScratchFolder } from './support/folders.ts'
import { databaseOf } from './support/gateways.ts'
import { inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest } from './support/tidegate.ts'

vi.setConfig({ testTimeout: 60_000 })

const reason = 'Once a year'
const sourceOf = ({ url }: RunningServer) => httpSource(`${url}/log/`, { fetch })
const keyAt = async ({ url }: RunningServer): Promise<string> => (await (await fetch(`${url}/log/key`)).text()).trim()
const checkpointAt = async ({ url }: RunningServer): Promise<string> => (await fetch(`${url}/log/checkpoint`)).text()

const isBy = (note: string, vkey: string): boolean => openCheckpoint(note, parseVerifierKey(vkey) as VerifierKey).ok

/** Changes the key, and hands it over. */
async function changed(world: World, by = world.admin): Promise<{ from: string; to: string }> {
  const keys = await by.changeLogKey({ reason })
  await world.server.drain()
  return keys
}

test('one checkpoint is signed by both keys, those after it by the next one alone, and the earlier one is gone', async () => {
  const world = await createWorldForTest()
  await world.server.drain()
  const { from, to } = await world.admin.changeLogKey({ reason })
  expect(from).toBe(world.server.verifierKey)
  expect(await keyAt(world.server)).toBe(from)
  await world.server.drain()
  const both = await checkpointAt(world.server)
  expect([isBy(both, from), isBy(both, to)]).toEqual([true, true])
  expect(await keyAt(world.server)).toBe(to)
  await permitted(world.as('alice'))
  await world.server.drain()
  const after = await checkpointAt(world.server)
  expect([isBy(after, from), isBy(after, to)]).toEqual([false, true])
  const rows = await inStore(
    world.store,
    'select verifier_key, signing_key is null as gone from log_key order by number',
  )
  expect(rows).toEqual([
    { verifier_key: from, gone: true },
    { verifier_key: to, gone: false },
  ])
  const [entry] = (await world.as('sam').listEntries({ type: 'log.key-changed' })).items
  expect(entry).toMatchObject({ entry: { from, to }, disclosed: { '/by': 'user:admin', '/reason': reason } })
  expect((await world.as('sam').listKeys({})).log).toMatchObject([
    { verifierKey: from, lastSize: expect.any(Number) },
    { verifierKey: to },
  ])
})

test('whoever knows any key that the log has had verifies it, its copies and its receipts', async () => {
  const world = await createWorldForTest()
  const first = world.server.verifierKey
  const before = await world.admin.getReceipt({ id: await permitted(world.as('alice')) })
  const earlier = await checkpointAt(world.server)
  const { to: second } = await changed(world)
  const request = await permitted(world.as('bob'))
  await world.server.drain()
  const { to: third } = await changed(world)
  await permitted(world.as('carol'))
  await world.server.drain()
  const folder = join(makeScratchFolder('tidegate-log-'), 'copy')
  expect(
    await exportLog({ source: sourceOf(world.server), writer: directoryWriter(folder), vkey: first }),
  ).toMatchObject({
    ok: true,
  })
  for (const source of [sourceOf(world.server), directorySource(folder)]) {
    expect(await verifyLog({ source, vkey: first, earlier })).toMatchObject({ ok: true, keys: [first, second, third] })
    expect(await verifyLog({ source, vkey: second })).toMatchObject({ ok: true, keys: [second, third] })
    expect(await verifyLog({ source, vkey: third })).toMatchObject({ ok: true, keys: [third] })
  }
  const { proof, verifierKey } = await world.admin.getReceipt({ id: request })
  expect(verifierKey).toBe(third)
  for (const vkey of [first, second, third]) expect(verifyReceipt(proof, vkey)).toMatchObject({ ok: true })
  expect(verifyReceipt(before.proof, first)).toMatchObject({ ok: true })
})

test('a server that signed with the earlier key signs with the next one as soon as another has handed it over', async () => {
  const world = await createWorldForTest()
  const other = await world.startAnother()
  const first = world.server.verifierKey
  await permitted(world.at(other, 'alice'))
  await other.drain()
  expect(isBy(await checkpointAt(other), first)).toBe(true)
  const { to } = await changed(world)
  await permitted(world.at(other, 'bob'))
  await other.drain()
  expect(isBy(await checkpointAt(other), first)).toBe(false)
  expect(await verifyLog({ source: sourceOf(other), vkey: first })).toMatchObject({ ok: true, keys: [first, to] })
})

test('of two that change it at once one does, and one that is under way is finished before the next', async () => {
  const world = await createWorldForTest()
  const other = await world.startAnother()
  const asked = [world.as('dora'), world.at(other, 'dora')].map((client) => outcomeOf(client.changeLogKey({ reason })))
  expect((await Promise.all(asked)).toSorted()).toEqual(['done', 'key-change-under-way'])
  expect(await outcomeOf(world.admin.changeLogKey({ reason }))).toBe('key-change-under-way')
  await world.server.drain()
  expect(await outcomeOf(world.admin.changeLogKey({ reason }))).toBe('done')
})

test('killed at any statement of the handover, the log has one key or the other, and never neither', async () => {
  const world = await createWorldForTest()
  const first = world.server.verifierKey
  await world.server.drain()
  const { to } = await world.admin.changeLogKey({ reason })
  const db = databaseOf(world)
  const { key } = world.settings
  const masterKey = createMasterKey(await loadKeys(key))
  const runtime = { now: () => world.clock.now() as never, random: randomBytes }
  const [row] = await inStore(world.store, 'select max(size)::int as size from audit_checkpoint')
  for (const when of ['before-reading', 'while-signing'] as const) {
    const signing = createSigning(masterKey)
    const broken = createSequencer({
      db,
      runtime: {
        ...runtime,
        now() {
          if (when === 'while-signing') throw new Error('killed')
          return runtime.now()
        },
      },
      signing: async (reader) => {
        if (when === 'before-reading') throw new Error('killed')
        return signing(reader)
      },
    })
    await expect(broken.integrate()).rejects.toThrow('killed')
    expect(await inStore(world.store, 'select max(size)::int as size from audit_checkpoint')).toEqual([row])
    expect(await keyAt(world.server)).toBe(first)
  }
  await inStore(
    world.store,
    `create function tidegate.no_handover() returns trigger language plpgsql as $$ begin raise exception 'killed'; end $$;
     create trigger no_handover before update on log_key for each row when (new.named_at is not null)
     execute function tidegate.no_handover()`,
  )
  await expect(world.server.drain()).rejects.toThrow('killed')
  expect(
    await inStore(world.store, 'select count(*)::int as count from log_key where signing_key is not null'),
  ).toEqual([{ count: 2 }])
  await inStore(world.store, 'drop trigger no_handover on log_key')
  await world.server.drain()
  expect(await verifyLog({ source: sourceOf(world.server), vkey: first })).toMatchObject({
    ok: true,
    keys: [first, to],
  })
})

test('the key in the store is worth nothing without the master key, and follows it', async () => {
  const world = await createWorldForTest()
  await changed(world)
  const rows = await inStore(
    world.store,
    `select encode(signing_key, 'hex') as sealed from log_key where last_size is null`,
  )
  expect(JSON.stringify(rows)).not.toContain('302e020100300506032b657004220420')
  const { master } = await world.as('sam').listKeys({})
  expect(master).toMatchObject([
    { seals: true, sealed: expect.arrayContaining([{ what: 'the signing key of the log', count: 1 }]) },
  ])
})
