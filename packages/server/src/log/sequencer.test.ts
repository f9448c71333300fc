import { generateSignerKey, openSignerKey, verifyLog, verifyReceipt } from '@tidegate/audit'
import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import type { TestStore } from '../testing/store.ts'
import { connect, storeForTest } from '../testing/store.ts'
import type { EntryDraft } from './append.ts'
import { latestCheckpoint, publishedLog } from './published.ts'
import { tileReader } from './tiles.ts'
import { findEntry, makeReceipt, withDisclosures } from './receipts.ts'
import { createSequencer } from './sequencer.ts'
import type { ReadSigning } from './signing.ts'

const origin = 'tidegate/test'
const { secretPkcs8, vkey } = generateSignerKey(origin)
const signer = openSignerKey({ name: origin, secretPkcs8 })
const signing: ReadSigning = async () => ({ current: signer })
const at = instant(Date.UTC(2026, 0, 5, 9))

async function setUp() {
  const store = await storeForTest()
  return { store, ...store, sequencer: createSequencer({ ...store, signing }) }
}

const draft: EntryDraft = { type: 'request.filed', at, fields: { principal: 'user:alice', role: 'orders-db/readonly' } }

const write = (store: Pick<TestStore, 'db' | 'runtime'>, count: number): Promise<void> =>
  change(store, async ({ record }) => record(...Array.from({ length: count }, () => draft)))

const verify = (db: Database, earlier?: string) =>
  verifyLog({ source: publishedLog(db), vkey, ...(earlier !== undefined && { earlier }) })

/** Fails with what is wrong with the log. */
async function expectWhole(db: Database, size: number, earlier?: string): Promise<string> {
  const verdict = await verify(db, earlier)
  if (!verdict.ok) throw new Error(JSON.stringify(verdict))
  expect(verdict.size).toBe(size)
  return verdict.checkpoint
}

/** Every checkpoint that was ever signed is of a beginning of the log as it is now. */
async function expectOneHistory(db: Database): Promise<number> {
  const rows = await db.selectFrom('auditCheckpoint').selectAll().orderBy('size').execute()
  for (const { note } of rows) expect(await verify(db, note)).toMatchObject({ ok: true, size: rows.at(-1)!.size })
  return rows.length
}

test('an empty store has no checkpoint, and integrating nothing makes none', async () => {
  const { db, sequencer } = await setUp()
  expect(await sequencer.integrate()).toBe(0)
  expect(await publishedLog(db).read('checkpoint')).toBeUndefined()
})

test('entries are placed in the order they were written, and the log verifies', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 3)
  expect(await sequencer.integrate()).toBe(3)
  expect(await sequencer.integrate()).toBe(0)
  const rows = await db.selectFrom('auditEntry').select('leafIndex').orderBy('serial').execute()
  expect(rows.map(({ leafIndex }) => leafIndex)).toEqual([0, 1, 2])
  await expectWhole(db, 3)
})

test('the log grows over the edges of tiles, and each checkpoint goes on from the one before', async () => {
  const { db, store, sequencer } = await setUp()
  let size = 0
  let earlier: string | undefined
  for (const count of [1, 254, 1, 1, 255, 256, 700]) {
    await write(store, count)
    expect(await sequencer.integrate()).toBe(count)
    size += count
    earlier = await expectWhole(db, size, earlier)
  }
  expect(await expectOneHistory(db)).toBe(7)
})

test('more than one batch is integrated in several, none of them longer than the bound', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 5_000)
  expect([await sequencer.integrate(), await sequencer.integrate(), await sequencer.integrate()]).toEqual([
    4_096, 904, 0,
  ])
  await expectWhole(db, 5_000)
})

test('of a batch that breaks before its end nothing is kept, and the next goes on as if it had not been', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 300)
  await sequencer.integrate()
  const before = await latestCheckpoint(db)
  await write(store, 300)
  const broken = createSequencer({
    db,
    signing,
    runtime: {
      ...store.runtime,
      now() {
        throw new Error('the process dies here')
      },
    },
  })
  await expect(broken.integrate()).rejects.toThrow('the process dies here')
  expect(await latestCheckpoint(db)).toEqual(before)
  await expectWhole(db, 300)
  expect(await sequencer.integrate()).toBe(300)
  await expectWhole(db, 600, before!.note)
})

test('an entry that is committed late is placed behind those that were integrated before', async () => {
  const { db, store, sequencer } = await setUp()
  let finish = (): void => {}
  const held = new Promise<void>((resolve) => (finish = resolve))
  let written = (): void => {}
  const begun = new Promise<void>((resolve) => (written = resolve))
  const late = db.transaction().execute(async (tx) => {
    await tx
      .insertInto('auditEntry')
      .values({
        id: 'ent_late',
        type: 'x',
        at: new Date(at),
        body: lateBody,
        leafIndex: null,
        request: null,
        grantId: null,
      })
      .execute()
    written()
    await held
  })
  await begun
  await write(store, 2)
  expect(await sequencer.integrate()).toBe(2)
  finish()
  await late
  expect(await sequencer.integrate()).toBe(1)
  const row = await db
    .selectFrom('auditEntry')
    .select(['serial', 'leafIndex'])
    .where('id', '=', 'ent_late')
    .executeTakeFirst()
  expect(row).toEqual({ serial: 1, leafIndex: 2 })
  await expectWhole(db, 3)
})

const lateBody = Buffer.from(`{"at":"2026-01-05T09:00:00.000Z","id":"ent_late","type":"x","v":1}`)

test('sequencers of several processes, while entries are written, make one log that never forks', async () => {
  const { db, store } = await setUp()
  const processes = Array.from({ length: 3 }, () => connect(store.database))
  let writing = true
  const writers = processes.flatMap((mine, process) =>
    [1, 2].map(async (writer) => {
      for (let i = 1; i <= 25; i++) await write({ ...store, db: mine }, (i * (process + writer)) % 40)
    }),
  )
  const sequencers = processes.map(async (mine) => {
    const { integrate } = createSequencer({ db: mine, runtime: store.runtime, signing })
    let count = 0
    while (writing) count += await integrate()
    return count
  })
  await Promise.all(writers)
  writing = false
  const placed = (await Promise.all(sequencers)).reduce((sum, count) => sum + count, 0)
  const rest = await createSequencer({ db, runtime: store.runtime, signing }).integrate()
  const { count } = await db
    .selectFrom('auditEntry')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  expect(placed + rest).toBe(count)
  await expectWhole(db, count)
  expect(await expectOneHistory(db)).toBeGreaterThan(1)
  await Promise.all(processes.map((mine) => mine.destroy()))
})

test('a store whose entries or tiles were altered by hand no longer verifies', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 300)
  await sequencer.integrate()
  const [tile] = await db
    .selectFrom('auditTile')
    .selectAll()
    .where('level', '=', 0)
    .orderBy('number')
    .limit(1)
    .execute()
  const hashes = Buffer.from(tile!.hashes)
  hashes[40]! ^= 1
  await db.updateTable('auditTile').set({ hashes }).where('level', '=', 0).where('number', '=', 0).execute()
  expect(await verify(db)).toMatchObject({ ok: false })
})

test('a tile is published as wide as it was asked for, where it is that wide, and not where it is not', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 300)
  await sequencer.integrate()
  const log = publishedLog(db)
  expect(await log.read('tile/0/000')).toHaveLength(256 * 32)
  expect(await log.read('tile/0/000.p/5')).toEqual((await log.read('tile/0/000'))!.subarray(0, 5 * 32))
  expect(await log.read('tile/0/001.p/44')).toHaveLength(44 * 32)
  for (const path of ['tile/0/001', 'tile/0/001.p/45', 'tile/0/002.p/1', 'tile/2/000.p/1', 'tile/entries/001'])
    expect(await log.read(path), path).toBeUndefined()
})

test.each(['', 'key', 'tile', 'tile/0/000.p/0', 'tile/0/000.p/256', 'tile/0/1', 'checkpoint/', '../checkpoint'])(
  '%j is no path of the log',
  async (path) => {
    const { db, store, sequencer } = await setUp()
    await write(store, 1)
    await sequencer.integrate()
    expect(await publishedLog(db).read(path)).toBeUndefined()
  },
)

test('every entry has a receipt that verifies offline, and none before it is integrated', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 258)
  const waiting = await withDisclosures(db, await allRows(db))
  expect(await makeReceipt(db, waiting[0]!)).toBeUndefined()
  await sequencer.integrate()
  await write(store, 1)
  const entries = await withDisclosures(db, await allRows(db))
  for (const i of [0, 1, 254, 255, 256, 257]) {
    const receipt = await makeReceipt(db, entries[i]!)
    const facts = verifyReceipt(receipt!.proof, vkey)
    expect(facts).toMatchObject({ ok: true, index: i, size: 258, entry: entries[i]!.entry })
    expect(facts.ok && facts.disclosures.map(({ result }) => result)).toEqual(['opens'])
  }
  expect(await makeReceipt(db, entries[258]!)).toBeUndefined()
})

test('erased personal data leaves the log whole and its receipts good', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 2)
  await sequencer.integrate()
  await db.deleteFrom('auditDisclosure').where('subject', '=', 'user:alice').execute()
  const [entry] = await withDisclosures(db, await allRows(db))
  expect(entry!.disclosures).toEqual([])
  expect(verifyReceipt((await makeReceipt(db, entry!))!.proof, vkey)).toMatchObject({ ok: true, disclosures: [] })
  await expectWhole(db, 2)
})

test('a proof rests on tiles of the tree that its checkpoint signs, whatever has been added since', async () => {
  const { db, store, sequencer } = await setUp()
  await write(store, 10)
  await sequencer.integrate()
  const read = tileReader(db)
  const narrow = await read({ level: 0, index: 0, width: 10 })
  await write(store, 10)
  await sequencer.integrate()
  expect(await read({ level: 0, index: 0, width: 10 })).toEqual(narrow)
})

test('an entry is found by its id, and the latest one by its grant or request', async () => {
  const { db, store } = await setUp()
  await change(store, async ({ record }) => {
    record({ type: 'request.filed', at, request: 'req_1', fields: {} })
    record({ type: 'grant.created', at, request: 'req_1', grant: 'grt_1', fields: {} })
    record({ type: 'grant.ready', at, grant: 'grt_1', fields: {} })
  })
  const [filed, created, ready] = await allRows(db)
  expect((await findEntry(db, filed!.id))?.id).toBe(filed!.id)
  expect((await findEntry(db, 'req_1'))?.id).toBe(created!.id)
  expect((await findEntry(db, 'grt_1'))?.id).toBe(ready!.id)
  expect(await findEntry(db, 'ent_none')).toBeUndefined()
})

const allRows = (db: Database) =>
  db.selectFrom('auditEntry').select(['id', 'body', 'leafIndex']).orderBy('serial').execute()
