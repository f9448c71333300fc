import type { JsonValue } from '@tidegate/audit'
import { checkDisclosures, decodeEntry, opens } from '@tidegate/audit'
import type { GrantId, RequestId } from '@tidegate/core'
import { formatInstant, instant } from '@tidegate/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { change } from '../store/change.ts'
import type { Database } from '../store/database.ts'
import type { TestStore } from '../testing/store.ts'
import { storeForTest } from '../testing/store.ts'
import type { EntryDraft } from './append.ts'
import { appendEntries } from './append.ts'
import type { EntryShape, EntryType } from './entry-types.ts'
import { entryTypes } from './entry-types.ts'
import { withDisclosures } from './receipts.ts'

const types = Object.keys(entryTypes) as EntryType[]
const at = instant(Date.UTC(2026, 0, 5, 9))

const append = ({ db, runtime }: TestStore, drafts: readonly EntryDraft[]): Promise<void> =>
  db.transaction().execute((tx) => appendEntries(tx, runtime, drafts))

const stored = async (db: Database) =>
  withDisclosures(db, await db.selectFrom('auditEntry').select(['id', 'body', 'leafIndex']).orderBy('serial').execute())

// What both canonical JSON and PostgreSQL can say: neither a lone surrogate nor a zero character.
const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\0', ''))
const value: fc.Arbitrary<JsonValue> = fc.oneof(
  text,
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.array(text, { maxLength: 3 }),
  fc.record({ name: text, fresh: fc.boolean() }),
  fc.constant(null),
)

const draftOf = (type: EntryType): fc.Arbitrary<EntryDraft> => {
  const { open, personal }: EntryShape = entryTypes[type]
  const fields = Object.fromEntries([...open, ...Object.keys(personal)].map((name) => [name, value]))
  return fc.record({
    type: fc.constant(type),
    at: fc.constant(at),
    request: fc.constant<RequestId>('req_1'),
    grant: fc.constant<GrantId>('grt_1'),
    fields: fc.record(fields),
  })
}

test('an entry of every type, with every field, is stored, is read back, and its disclosures open', async () => {
  const store = await storeForTest()
  const drafts = fc.sample(fc.tuple(...types.map(draftOf)), 10).flat()
  await append(store, drafts)
  const entries = await stored(store.db)
  expect(entries).toHaveLength(drafts.length)
  for (const [i, { entry, disclosures }] of entries.entries()) {
    const { type, fields } = drafts[i]!
    const personal = Object.keys((entryTypes[type] as EntryShape).personal)
    expect(entry).toMatchObject({ v: 1, type, at: formatInstant(at), request: 'req_1', grant: 'grt_1' })
    for (const name of entryTypes[type].open) expect(entry[name]).toEqual(fields[name])
    expect(disclosures.map(({ path }) => path)).toEqual(personal.map((name) => `/${name}`).toSorted())
    for (const disclosure of disclosures) expect(disclosure.value).toEqual(fields[disclosure.path.slice(1)])
    expect(checkDisclosures(entry, disclosures).map(({ result }) => result)).toEqual(personal.map(() => 'opens'))
  }
})

test.each(types)('no personal field of %s stands in the log in clear', async (type) => {
  const store = await storeForTest()
  const shape: EntryShape = entryTypes[type]
  const secrets = Object.keys(shape.personal).map((name) => [name, `personal-${name}`])
  await append(store, [{ type, at, fields: Object.fromEntries(secrets) }])
  const { body } = await store.db.selectFrom('auditEntry').select('body').executeTakeFirstOrThrow()
  expect(body.toString()).not.toContain('personal-')
})

test('a field that the type does not have is refused, and nothing of the change is kept', async () => {
  const store = await storeForTest()
  const wrong = { type: 'grant.ready', at, fields: { principal: 'user:alice' } } as const
  const changing = change(store, async ({ record }) => record({ type: 'request.expired', at, fields: {} }, wrong))
  await expect(changing).rejects.toThrow('The entry type grant.ready has no field principal.')
  expect(await stored(store.db)).toEqual([])
})

test.each(['constructor', 'toString', '__proto__', 'id', 'v', 'at'])('%s is no field of any entry', async (name) => {
  const store = await storeForTest()
  const fields = JSON.parse(`{ "${name}": "x" }`) as Record<string, string>
  await expect(append(store, [{ type: 'request.filed', at, fields }])).rejects.toThrow('has no field')
})

test('a field that is undefined is left out', async () => {
  const store = await storeForTest()
  const fields = { principal: 'user:alice', ticket: undefined, startAt: undefined }
  await append(store, [{ type: 'request.filed', at, fields }])
  const [one] = await stored(store.db)
  expect(Object.keys(one!.entry).toSorted()).toEqual(['at', 'id', 'principal', 'type', 'v'])
})

test('equal values are not equal in the log, and each opens with its own salt only', async () => {
  const store = await storeForTest()
  const draft: EntryDraft = { type: 'request.filed', at, fields: { principal: 'user:alice' } }
  await append(store, [draft, draft])
  const [one, other] = await stored(store.db)
  expect(one!.entry['principal']).not.toBe(other!.entry['principal'])
  const salt = Buffer.from(other!.disclosures[0]!.salt, 'base64url')
  expect(opens(one!.entry['principal'] as string, { salt, value: 'user:alice' })).toBe(false)
})

test('personal data is found again by whose it is', async () => {
  const store = await storeForTest()
  await append(store, [
    { type: 'request.filed', at, fields: { principal: 'user:alice', reason: 'her reason', role: 'a/b' } },
    { type: 'request.answered', at, fields: { approver: 'user:carol', comment: 'her comment' } },
  ])
  const rows = await store.db
    .selectFrom('auditDisclosure')
    .select(['path', 'subject', 'value'])
    .orderBy('subject')
    .orderBy('path')
    .execute()
  expect(rows).toEqual([
    { path: '/principal', subject: 'user:alice', value: 'user:alice' },
    { path: '/reason', subject: 'user:alice', value: 'her reason' },
    { path: '/approver', subject: 'user:carol', value: 'user:carol' },
    { path: '/comment', subject: 'user:carol', value: 'her comment' },
  ])
})

test('no drafts, no statement: nothing is stored', async () => {
  const store = await storeForTest()
  await append(store, [])
  expect(await stored(store.db)).toEqual([])
})

test('an entry that is stored never changes, and is never deleted', async () => {
  const store = await storeForTest()
  const { db } = store
  await append(store, [{ type: 'request.expired', at, fields: {} }])
  const { body } = await db.selectFrom('auditEntry').select('body').executeTakeFirstOrThrow()
  expect(decodeEntry(body).ok).toBe(true)
  const attempts = [
    () =>
      db
        .updateTable('auditEntry')
        .set({ body: Buffer.from('{}') })
        .execute(),
    () => db.updateTable('auditEntry').set({ type: 'grant.ready' }).execute(),
    () => db.deleteFrom('auditEntry').execute(),
  ]
  for (const attempt of attempts) await expect(attempt()).rejects.toThrow('entries do not change')
  await db.updateTable('auditEntry').set({ leafIndex: 0 }).execute()
  await expect(db.updateTable('auditEntry').set({ leafIndex: 1 }).execute()).rejects.toThrow('entries do not change')
})
