/** How recordings end: kept for as long as their resource says or deleted by hand, and proved to have been. */

import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectorKinds } from '@tidegate/connectors'
import { instant } from '@tidegate/core'
import type { Instant } from '@tidegate/core'
import type { GatewayOptions } from '@tidegate/gateway'
import { forgetRecording, recordingFolder, verifyRecording } from '@tidegate/gateway'
import { expect, test } from 'vitest'
import { readFromAfar } from '../packages/cli/src/recordings/afar.ts'
import { createConfigurations } from '../packages/server/src/configuration/configurations.ts'
import { findPrincipals } from '../packages/server/src/identity/principals.ts'
import { housekeeping } from '../packages/server/src/reconciler/housekeeping.ts'
import { opened } from './support/access.ts'
import { connectedWorld, logIn, sessionsOf, started } from './support/connected.ts'
import type { Connected } from './support/connected.ts'
import { edited } from './support/edit.ts'
import { createGatewayWorld, databaseOf, joined, newSession, reportsOf } from './support/gateways.ts'
import { entriesOf, inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { defaultFiles } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

const reason = 'Erasure request 12'

type Done = Connected & { readonly id: string; readonly folder: string }

async function sessionThatIsOver(wishes: Partial<GatewayOptions> = {}): Promise<Done> {
  const connected = await connectedWorld(wishes)
  const { credential } = await opened(connected.world.as('alice'))
  const { client } = await logIn(credential)
  await client.query('select 1 as one')
  await client.end()
  const [over] = await sessionsOf(connected.world.admin, 1, 'false')
  const { id, startedAt } = over!
  const folder = recordingFolder(join(connected.options.dir, 'recordings'), id, instant(Date.parse(startedAt)))
  return { ...connected, id, folder }
}

const deletionOf = async ({ admin }: World, id: string) => (await admin.getSession({ id })).deletion

const untilDeleted = (world: World, id: string): Promise<string> =>
  eventually(async () => {
    const deletion = await deletionOf(world, id)
    expect(deletion?.digest).toBeDefined()
    return deletion!.digest!
  })

const recordingEntries = async (world: World) =>
  (await entriesOf(world.admin)).filter(({ type }) => type.startsWith('recording.'))

test('a recording that is deleted by hand leaves a tombstone, and what the log says of it proves the deletion', async () => {
  const { world, id, folder } = await sessionThatIsOver()
  const asked = await world.as('dora').forgetRecording({ id, reason })
  expect(asked.deletion).toMatchObject({ by: 'user:dora', reason })
  const digest = await untilDeleted(world, id)
  expect(await readdir(folder)).toEqual(['deleted-all.json'])
  const [first, second] = await recordingEntries(world)
  expect(first).toMatchObject({ type: 'recording.deletion-asked', entry: { session: id, gateway: 'gw-1' } })
  expect(first!.disclosed).toMatchObject({ '/by': 'user:dora', '/reason': reason })
  expect(second).toMatchObject({ type: 'recording.deleted', entry: { session: id, digest, files: 1 } })
  expect(second!.entry['head']).toEqual(second!.entry['anchored'])
  expect(second!.entry['verdict']).toMatch(/to the end of the session, as anchored$/)
  const { head } = await world.admin.getSession({ id })
  const options = { head: { session: id, ...head! }, deletion: digest }
  expect(await verifyRecording(folder, options)).toMatchObject({ ok: true, state: 'deleted', anchoredEvents: 2 })

  await world.as('dora').forgetRecording({ id, reason: 'another' })
  expect((await deletionOf(world, id))?.reason).toBe(reason)
  expect(await recordingEntries(world)).toHaveLength(2)
})

test('who looks at a recording that was deleted is told so, and by what the log has', async () => {
  const { world, id, folder } = await sessionThatIsOver()
  await world.as('dora').forgetRecording({ id, reason })
  await untilDeleted(world, id)
  const look = async () => {
    const wish = { session: id, reason: 'Case 17', follow: false }
    const items = []
    for await (const item of readFromAfar({ sleep: async () => undefined }, { client: world.as('sam'), wish }))
      items.push(item)
    return items
  }
  expect(await look()).toMatchObject([{ item: 'verdict', verdict: { ok: true, state: 'deleted' } }])
  const path = join(folder, 'deleted-all.json')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('user:dora', 'user:mallory'))
  expect(await look()).toMatchObject([{ verdict: { ok: false, reason: 'rewritten' } }])
  await writeFile(path, 'nonsense')
  expect(await look()).toMatchObject([{ verdict: { ok: false, reason: 'unreadable' } }])
  await rm(path)
  expect(await look()).toMatchObject([{ verdict: { ok: false, reason: 'missing' } }])
})

test('a deletion that broke off in the middle is finished when the gateway runs again, by the first tombstone', async () => {
  const { world, gateway, options, id, folder } = await sessionThatIsOver()
  const segment = join(folder, '000001.tgrec')
  const kept = await readFile(segment)
  await gateway.stop()
  await world.as('dora').forgetRecording({ id, reason })
  const { head } = await world.admin.getSession({ id })
  // As it was when the process died: the tombstone is there, and so is what it tells of.
  const before = { what: 'all', by: 'user:dora', reason, at: 0 as Instant, head: { session: id, ...head! } } as const
  const { digest } = await forgetRecording(folder, before)
  await writeFile(segment, kept)
  const { enrolmentToken: _, ...rest } = options
  await started(rest)
  expect(await untilDeleted(world, id)).toBe(digest)
  expect(existsSync(segment)).toBe(false)
})

test('what is not there any more is deleted too, and the log says that it was missing', async () => {
  const { world, id, folder } = await sessionThatIsOver()
  await rm(folder, { recursive: true })
  await world.as('dora').forgetRecording({ id, reason })
  await untilDeleted(world, id)
  const [, deleted] = await recordingEntries(world)
  expect(deleted!.entry['verdict']).toMatch(/^it did not hold \(missing\)/)
  expect(deleted!.entry['files']).toBe(0)
})

test('a recording that cannot be deleted is not said to be, and is deleted once it can', async () => {
  const logged: string[] = []
  const { world, gateway, options, id, folder } = await sessionThatIsOver({ log: (event) => logged.push(event) })
  // Where the tombstone is to be written.
  const obstacle = join(folder, 'deleted-all.json.partial')
  await mkdir(obstacle)
  await world.as('dora').forgetRecording({ id, reason })
  await eventually(() => expect(logged).toContain('recording-not-deleted'))
  expect((await deletionOf(world, id))?.digest).toBeUndefined()
  expect(await verifyRecording(folder)).toMatchObject({ ok: true, state: 'ended' })
  await gateway.stop()
  await rm(obstacle, { recursive: true })
  const { enrolmentToken: _, ...rest } = options
  await started(rest)
  await untilDeleted(world, id)
  expect(await readdir(folder)).toEqual(['deleted-all.json'])
})

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'done',
    (error: { code: string }) => error.code,
  )

/** A session that a test tells of, of a gateway that is nothing but its calls. */
async function toldScene(files?: (text: World['files']) => World['files']) {
  const world = await createGatewayWorld({ files: (parts) => (files ?? ((list) => list))(defaultFiles(parts)) })
  const { client } = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const id = newSession()
  const reports = reportsOf(world, { session: id, grant: grant.id })
  await client.reportSessions({ reports: [reports.opened(), reports.recorded(1)] })
  return { world, client, id, reports }
}

test('recordings are deleted by administrators, of sessions that are over', async () => {
  const { world, client, id, reports } = await toldScene()
  const forget = (who: string): Promise<string> => codeOf(world.as(who).forgetRecording({ id, reason }))
  expect(await forget('dora')).toBe('session-open')
  await client.reportSessions({ reports: [reports.ended()] })
  const outcomes: Record<string, string> = {}
  for (const who of ['alice', 'bob', 'carol', 'ci', 'dora', 'sam']) outcomes[who] = await forget(who)
  expect(outcomes).toEqual({
    alice: 'forbidden',
    bob: 'forbidden',
    carol: 'not-found',
    ci: 'forbidden',
    dora: 'done',
    sam: 'forbidden',
  })
  expect((await recordingEntries(world)).map(({ disclosed }) => disclosed['/by'])).toEqual(['user:dora'])
})

const digest = 'd'.repeat(43)
const head = { segment: 1, blocks: 1, bytes: 100, events: 10, chain: 'c'.repeat(43) }

test('a gateway says of no recording that it was deleted before that was asked, and of none of another’s', async () => {
  const { world, client, id, reports } = await toldScene()
  await client.reportSessions({ reports: [reports.ended()] })
  const at = new Date(world.clock.now()).toISOString()
  const forgotten = { what: 'forgotten', session: id, at, digest, head, verdict: 'v', files: 1, bytes: 9 } as const
  const refused = async (by: typeof client) =>
    (await by.reportSessions({ reports: [forgotten] })).refused.map(({ reason: why }) => why)
  expect(await refused(client)).toEqual(['Nobody has asked for its recording to be deleted.'])
  await world.as('dora').forgetRecording({ id, reason })
  const other = await joined(world, { id: 'gw-2' })
  expect(await refused(other.client)).toEqual(['This gateway has opened no such session.'])
  expect(await refused(client)).toEqual([])
  expect(await refused(client)).toEqual([])
  expect((await recordingEntries(world)).map(({ type }) => type)).toEqual([
    'recording.deletion-asked',
    'recording.deleted',
  ])
})

const keptFor = (length: string) => (files: World['files']) =>
  edited(files, 'orders-db.yaml', [
    '    owner: orders-team',
    `    owner: orders-team\n    recording: { keepFor: ${length} }`,
  ])

test('a recording is kept for as long as its resource says, and then its gateway is told to delete it', async () => {
  const { world, client, id, reports } = await toldScene(keptFor('30d'))
  await client.reportSessions({ reports: [reports.ended()] })
  const db = databaseOf(world)
  const tidy = () =>
    housekeeping({
      db,
      runtime: { now: () => world.clock.now() as Instant, random: (count) => new Uint8Array(count).fill(7) },
      configurations: createConfigurations(connectorKinds),
      findPrincipals,
    })
  const day = 86_400_000
  world.clock.advance(30 * day)
  await tidy()
  expect(await deletionOf(world, id)).toBeUndefined()
  world.clock.advance(1)
  await tidy()
  await tidy()
  expect(await deletionOf(world, id)).toMatchObject({
    by: 'retention',
    reason: 'kept for 30d, as orders-db says',
  })
  const [asked, ...others] = await recordingEntries(world)
  expect(others).toEqual([])
  expect(asked).toMatchObject({ type: 'recording.deletion-asked', entry: { session: id, keptSeconds: 30 * 86_400 } })
  expect(await inStore(world.store, 'select id from access_session where forget_asked_at is not null')).toHaveLength(1)
})

test('how long recordings are kept is not told to a gateway, which would not be believed', async () => {
  const { world, client } = await toldScene(keptFor('30d'))
  const { grants } = await client.syncGateway({ waitMs: 0 })
  const { recording } = await client.releaseLogin({ id: grants[0]!.grant })
  expect(recording).toEqual({ text: 'keep', parameters: 'keep', rows: 'none', whenItFails: 'end' })
  expect(world.clock.now()).toBeGreaterThan(0)
})
