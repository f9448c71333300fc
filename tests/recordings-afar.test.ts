/** Recordings read from another machine than the one that has them: who may, what is told first, and what holds. */

import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client, Output } from '@tidegate/api'
import { gatewayLimits } from '@tidegate/api'
import { instant } from '@tidegate/core'
import type { ArrivingItem } from '@tidegate/gateway'
import { recordingFolder } from '@tidegate/gateway'
import { expect, test } from 'vitest'
import { readFromAfar } from '../packages/cli/src/recordings/afar.ts'
import { opened } from './support/access.ts'
import { connectedWorld, logIn, sessionsOf } from './support/connected.ts'
import type { Connected } from './support/connected.ts'
import { createGatewayWorld, joined, newSession, reportsOf } from './support/gateways.ts'
import { entriesOf, everythingIn, inStore } from './support/story.ts'
import type { World } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

const reason = 'Case 17'
const sleep = async (): Promise<void> => undefined

type Looking = { readonly id: string; readonly follow?: boolean; readonly signal?: AbortSignal }

const lookAt = (client: Client, { id, follow = false, signal }: Looking): AsyncGenerator<ArrivingItem> =>
  readFromAfar({ sleep }, { client, wish: { session: id, reason, follow }, ...(signal && { signal }) })

function textOf(item: ArrivingItem): string | undefined {
  if (item.item !== 'event' || item.event.type !== 'statement') return undefined
  return typeof item.event.text === 'string' ? item.event.text : 'sealed'
}

/** What is recorded is on disk half a second later at most. */
async function whole(client: Client, looking: Looking): Promise<ArrivingItem[]> {
  const items: ArrivingItem[] = []
  for await (const item of lookAt(client, looking)) items.push(item)
  return items
}

const verdictOf = (items: readonly ArrivingItem[]) => {
  const last = items.at(-1)
  if (last?.item !== 'verdict') throw new Error('it ended without a verdict')
  return last.verdict
}

type Done = Connected & { readonly id: string; readonly folder: string }

/** A session of Alice's that is over, with what it did on disk. */
async function sessionThatDid(...statements: readonly string[]): Promise<Done> {
  const connected = await connectedWorld()
  const { credential } = await opened(connected.world.as('alice'))
  const { client } = await logIn(credential)
  for (const text of statements) await client.query(text)
  await client.end()
  const [over] = await sessionsOf(connected.world.admin, 1, 'false')
  const { id, startedAt } = over!
  const folder = recordingFolder(join(connected.options.dir, 'recordings'), id, instant(Date.parse(startedAt)))
  return { ...connected, id, folder }
}

test('an auditor sees from anywhere what was done, held against what the log has, and the log says so first', async () => {
  const { world, id } = await sessionThatDid('select 1 as one', 'select count(*) from shop.orders')
  const looking = lookAt(world.as('sam'), { id })
  const first = await looking.next()
  expect(first.value).toMatchObject({ item: 'header', header: { session: id, principal: 'user:alice' } })
  const entries = await entriesOf(world.admin)
  const viewed = entries.find(({ type }) => type === 'recording.viewed')!
  expect(viewed.entry).toMatchObject({ session: id, gateway: 'gw-1', follow: false })
  expect(viewed.disclosed).toMatchObject({ '/by': 'user:sam', '/reason': reason, '/principal': 'user:alice' })
  const rest: ArrivingItem[] = []
  for await (const item of looking) rest.push(item)
  expect(rest.map(textOf).filter(Boolean)).toEqual(['select 1 as one', 'select count(*) from shop.orders'])
  expect(verdictOf(rest)).toMatchObject({ ok: true, state: 'ended', anchoredEvents: 4 })
})

test('an owner follows a session while it goes on, to its end', async () => {
  const { world } = await connectedWorld()
  const { credential } = await opened(world.as('alice'))
  const { client } = await logIn(credential)
  await client.query('select 1 as before')
  const [session] = await sessionsOf(world.admin, 1)
  const seen: string[] = []
  let verdict: ArrivingItem | undefined
  for await (const item of lookAt(world.as('bob'), { id: session!.id, follow: true })) {
    const text = textOf(item)
    if (text !== undefined) seen.push(text)
    if (text === 'select 1 as before') await client.query('select 2 as meanwhile')
    if (text === 'select 2 as meanwhile') await client.end()
    if (item.item === 'verdict') verdict = item
  }
  expect(seen).toEqual(['select 1 as before', 'select 2 as meanwhile'])
  expect(verdict).toMatchObject({ verdict: { ok: true, state: 'ended' } })
})

test('who stops looking leaves nothing behind, and the session goes on', async () => {
  const { world } = await connectedWorld()
  const { credential } = await opened(world.as('alice'))
  const { client } = await logIn(credential)
  await client.query('select 1 as one')
  const [session] = await sessionsOf(world.admin, 1)
  const leaving = new AbortController()
  for await (const item of lookAt(world.as('sam'), { id: session!.id, follow: true, signal: leaving.signal })) {
    if (item.item === 'event') leaving.abort()
  }
  expect(await inStore(world.store, 'select id from recording_view')).toEqual([])
  expect(await inStore(world.store, 'select view from recording_piece')).toEqual([])
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('what was changed, cut or taken away on its way or on disk does not hold', async () => {
  const { world, id, folder } = await sessionThatDid('select 1 as one', 'select 2 as two')
  const file = join(folder, '000001.tgrec')
  const bytes = await readFile(file)
  const read = async () => verdictOf(await whole(world.as('sam'), { id }))
  const flipped = Buffer.from(bytes)
  flipped[flipped.length - 60]! ^= 1
  await writeFile(file, flipped)
  expect(await read()).toMatchObject({ ok: false, reason: 'tampered' })
  await writeFile(file, bytes.subarray(0, 300))
  expect(await read()).toMatchObject({ ok: false, reason: 'truncated' })
  await writeFile(file, bytes)
  await appendFile(file, Buffer.from([1]))
  expect(await read()).toMatchObject({ ok: false, reason: 'tampered' })
  await rename(folder, `${folder}-elsewhere`)
  expect(await read()).toMatchObject({ ok: false, reason: 'missing' })
})

test('a recording of more than one piece comes whole, and no more of it waits at a time than may', async () => {
  const long = `select '${Buffer.from(crypto.getRandomValues(new Uint8Array(40_000))).toString('hex')}' as text`
  const statements = Array.from({ length: 60 }, (_, n) => `${long} -- ${n}`)
  const { world, id } = await sessionThatDid(...statements)
  const looking = lookAt(world.as('sam'), { id })
  await looking.next()
  const waiting = async (): Promise<number> =>
    Number((await inStore(world.store, 'select count(*) as n from recording_piece'))[0]!['n'])
  await eventually(async () => expect(await waiting()).toBe(gatewayLimits.piecesWaiting))
  const rest: ArrivingItem[] = []
  for await (const item of looking) rest.push(item)
  expect(rest.map(textOf).filter(Boolean)).toEqual(statements)
  expect(verdictOf(rest)).toMatchObject({ ok: true, anchoredEvents: 120 })
})

test('what waits in the store is sealed: nothing of the session is to be read there', async () => {
  const { world, id } = await sessionThatDid(`select 'a secret of the session' as text`)
  const { view } = await world.as('sam').viewRecording({ id, reason })
  await eventually(async () => expect(await inStore(world.store, 'select * from recording_piece')).toHaveLength(2))
  const clear = Buffer.from('a secret of the session')
  const everything = await everythingIn(world.store)
  for (const form of [clear.toString(), clear.toString('hex'), clear.toString('base64').slice(0, 24)])
    expect(everything).not.toContain(form)
  const { pieces } = await world.as('sam').readRecording({ id: view, after: 0, waitMs: 10_000 })
  expect(pieces.map(({ number, piece }) => [number, piece.what])).toEqual([
    [1, 'bytes'],
    [2, 'over'],
  ])
  await world.as('sam').readRecording({ id: view, after: 2, waitMs: 0 })
  expect(await inStore(world.store, 'select * from recording_piece')).toEqual([])
})

test('through another server than the gateway’s it is the same', async () => {
  const { world, id } = await sessionThatDid('select 1 as one')
  const other = await world.startAnother()
  const items = await whole(world.at(other, 'sam'), { id })
  expect(items.map(textOf).filter(Boolean)).toEqual(['select 1 as one'])
  expect(verdictOf(items)).toMatchObject({ ok: true })
})

type Scene = { readonly world: World; readonly client: Client; readonly id: string }

/** A session that a gateway without one of its own has told of: the test sends what it likes. */
async function toldScene(): Promise<Scene> {
  const world = await createGatewayWorld()
  const { client } = await joined(world)
  const { grant } = await opened(world.as('alice'))
  const id = newSession()
  const reports = reportsOf(world, { session: id, grant: grant.id })
  await client.reportSessions({ reports: [reports.opened(), reports.ended()] })
  await client.syncGateway({ waitMs: 0 })
  return { world, client, id }
}

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'done',
    (error: { code: string }) => error.code,
  )

test('recordings are seen by auditors and owners of the resource, and by nobody else, its holder included', async () => {
  const { world, id } = await toldScene()
  const outcomes: Record<string, string> = {}
  for (const who of ['alice', 'bob', 'dora', 'sam', 'carol', 'ci'])
    outcomes[who] = await codeOf(world.as(who).viewRecording({ id, reason }))
  expect(outcomes).toEqual({
    alice: 'forbidden',
    bob: 'done',
    dora: 'done',
    sam: 'done',
    carol: 'not-found',
    ci: 'forbidden',
  })
  const viewed = (await entriesOf(world.admin)).filter(({ type }) => type === 'recording.viewed')
  expect(viewed.map(({ disclosed }) => disclosed['/by'])).toEqual(['user:bob', 'user:dora', 'user:sam'])
})

const nothing = { what: 'over', why: 'all' } as const
const sending = (id: string, number: number, sender = 'sender-one') => ({
  id,
  sender,
  number,
  piece: nothing,
  waitMs: 0,
})
const bytes = { what: 'bytes', segment: 1, bytes: 'AAAA' } as const

test('only who asked reads it, and only while they may', async () => {
  const { world, id, client } = await toldScene()
  const { view } = await world.as('bob').viewRecording({ id, reason })
  await client.sendRecording(sending(view, 1))
  const read = (who: string): Promise<string> => codeOf(world.as(who).readRecording({ id: view, after: 0, waitMs: 0 }))
  expect(await Promise.all(['sam', 'dora', 'alice'].map(read))).toEqual(['not-found', 'not-found', 'not-found'])
  expect(await read('bob')).toBe('done')
  await world.as('sam').closeView({ id: view })
  expect(await read('bob')).toBe('done')
  const { files } = world
  await world.admin.applyConfig({
    files: files.map(({ path, text }) => ({
      path,
      text: text.replace(/id: orders-team, members: \[[^\]]*\]/, 'id: orders-team, members: [carol]'),
    })),
  })
  expect(await read('bob')).not.toBe('done')
})

test('who has not asked for a minute has gone, and what waited for them with them', async () => {
  const { world, id, client } = await toldScene()
  const { view } = await world.as('sam').viewRecording({ id, reason })
  const told = async () => (await client.syncGateway({ waitMs: 0 })).views
  await eventually(async () => expect(await told()).toMatchObject([{ view, session: id, follow: false }]))
  await client.sendRecording({ ...sending(view, 1), piece: bytes })
  world.clock.advance(61_000)
  expect((await client.sendRecording(sending(view, 2))).outcome).toBe('closed')
  expect(await codeOf(world.as('sam').readRecording({ id: view, after: 0, waitMs: 0 }))).toBe('not-found')
  await eventually(async () => {
    expect(await told()).toEqual([])
    expect(await inStore(world.store, 'select * from recording_piece')).toEqual([])
  })
})

test('pieces are taken in order and once, and a gateway that began anew does not go on where another was', async () => {
  const { world, id, client } = await toldScene()
  const { view } = await world.as('sam').viewRecording({ id, reason })
  const send = async (number: number, sender?: string) =>
    (await client.sendRecording({ ...sending(view, number, sender), piece: bytes })).outcome
  expect(await codeOf(send(2))).toBe('invalid-input')
  expect([await send(1), await send(1), await send(2)]).toEqual(['taken', 'taken', 'taken'])
  expect(await send(1, 'sender-two')).toBe('closed')
  const { pieces } = await world.as('sam').readRecording({ id: view, after: 1, waitMs: 0 })
  expect(pieces.map(({ piece }) => piece)).toEqual([bytes, { what: 'over', why: 'cut-off' }])
  expect(await send(3)).toBe('closed')
})

test('a slow reader is waited for: a piece that has no room is sent again, and taken when there is some', async () => {
  const { world, id, client } = await toldScene()
  const { view } = await world.as('sam').viewRecording({ id, reason })
  const send = async (number: number, waitMs = 0) =>
    (await client.sendRecording({ ...sending(view, number), piece: bytes, waitMs })).outcome
  const most = gatewayLimits.piecesWaiting
  for (let number = 1; number <= most; number++) expect(await send(number)).toBe('taken')
  expect(await send(most + 1)).toBe('full')
  const waiting = send(most + 1, 20_000)
  await world.as('sam').readRecording({ id: view, after: 3, waitMs: 0 })
  expect(await waiting).toBe('taken')
})

test('another gateway sends nothing into it', async () => {
  const { world, id, client } = await toldScene()
  const { view } = await world.as('sam').viewRecording({ id, reason })
  const other = await joined(world, { id: 'gw-2' })
  expect((await other.client.syncGateway({ waitMs: 0 })).views).toEqual([])
  expect((await other.client.sendRecording(sending(view, 1))).outcome).toBe('closed')
  expect((await client.sendRecording(sending(view, 1))).outcome).toBe('taken')
})

test('one person looks at so many at a time', async () => {
  const { world, id } = await toldScene()
  const look = (): Promise<Output<'viewRecording'>> => world.as('sam').viewRecording({ id, reason })
  const views = []
  for (let n = 0; n < gatewayLimits.viewsPerPerson; n++) views.push(await look())
  expect(await codeOf(look())).toBe('too-many-views')
  await world.as('sam').closeView({ id: views[0]!.view })
  expect(await codeOf(look())).toBe('done')
})

test('of a gateway that is not connected nothing can be seen, and nothing is said to have been', async () => {
  const { world, id } = await toldScene()
  world.clock.advance(31_000)
  expect(await codeOf(world.as('sam').viewRecording({ id, reason }))).toBe('recording-away')
  expect((await entriesOf(world.admin)).filter(({ type }) => type === 'recording.viewed')).toEqual([])
})
