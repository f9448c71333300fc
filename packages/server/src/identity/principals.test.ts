/** Who there is, from configuration and the directory together. */

import { instant } from '@tidegate/core'
import type { PrincipalRef } from '@tidegate/core'
import { expect, test } from 'vitest'
import { change } from '../store/change.ts'
import { instantParam } from '../store/database.ts'
import { shopFiles, snapshotOf } from '../testing/configuration.ts'
import type { TestStore } from '../testing/store.ts'
import { storeForTest } from '../testing/store.ts'
import { putUser, setGroupsOf } from './directory/write.ts'
import { findPrincipals } from './principals.ts'

const now = instant(Date.UTC(2026, 0, 20, 9))

const identity = `
identity:
  providers:
    - { id: okta, issuer: 'https://okta.example', clientId: x, clientSecret: env:X, domains: [example.com] }
`
const files = {
  ...shopFiles,
  'identity.yaml': identity,
  'people.yaml': (shopFiles['people.yaml'] ?? '')
    .replace('[alice, service:ci,', '[alice, service:ci, group:okta/all,')
    .replace('agents:\n', 'agents:\n  - { id: eriks-helper, user: erin@example.com }\n'),
}

const user = (id: string): PrincipalRef => ({ kind: 'user', id })

async function known(
  { db, runtime }: TestStore,
  people: readonly { id: string; active?: boolean; groups?: string[]; source?: string }[],
) {
  const at = { db, runtime: { ...runtime, now: () => now } }
  for (const { id, active = true, groups = [], source = 'okta' } of people) {
    await change(at, (unit) => putUser(unit, { id, source, externalId: id, active, about: { name: id } }))
    await change(at, (unit) => setGroupsOf(unit, { user: id, source, groups }))
  }
}

const find = async (
  { db }: TestStore,
  refs: readonly PrincipalRef[],
  texts: Readonly<Record<string, string>> = files,
) => Object.fromEntries(await findPrincipals(db, { snapshot: snapshotOf(texts), refs, now }))

test('people of the directory are found with the groups that configuration makes of theirs, nested ones of both included', async () => {
  const store = await storeForTest()
  await known(store, [{ id: 'erin@example.com', groups: ['platform'] }])
  // Nested at the source, in a circle: it ends all the same.
  await store.db
    .insertInto('directoryGroup')
    .values({ id: 'okta/all', source: 'okta', externalId: 'all', name: 'all' })
    .execute()
  const nested = [
    { groupId: 'okta/all', member: 'group:okta/platform', endsAt: null },
    { groupId: 'okta/platform', member: 'group:okta/all', endsAt: null },
  ]
  await store.db.insertInto('directoryMembership').values(nested).execute()
  expect(await find(store, [user('erin@example.com')])).toEqual({
    'user:erin@example.com': {
      kind: 'user',
      id: 'erin@example.com',
      name: 'erin@example.com',
      groups: ['engineers', 'okta/all', 'okta/platform'],
    },
  })
})

test('whoever configuration declares is whom it says, whatever the directory says under the same id', async () => {
  const store = await storeForTest()
  await known(store, [{ id: 'alice', groups: ['all'] }])
  const { 'user:alice': alice } = await find(store, [user('alice')])
  expect(alice).toMatchObject({
    name: 'Alice',
    email: 'alice@example.com',
    manager: 'dora',
    groups: ['engineers', 'okta/all'],
  })
})

test('who is not active is nobody, declared or not, and neither is who acts for them', async () => {
  const store = await storeForTest()
  await known(store, [{ id: 'alice', active: false }, { id: 'erin@example.com' }])
  const refs: PrincipalRef[] = [
    user('alice'),
    { kind: 'agent', id: 'helper' },
    { kind: 'agent', id: 'eriks-helper' },
    { kind: 'service', id: 'ci' },
  ]
  expect(Object.keys(await find(store, refs))).toEqual(['agent:eriks-helper', 'service:ci'])
})

test('what a source says that configuration does not name counts for nothing', async () => {
  const store = await storeForTest()
  await known(store, [{ id: 'erin@example.com', groups: ['all'], source: 'entra' }])
  expect(await find(store, [user('erin@example.com')])).toEqual({})
  await known(store, [{ id: 'frank@example.com', groups: ['all'] }])
  expect(Object.keys(await find(store, [user('frank@example.com')]))).toEqual(['user:frank@example.com'])
  const { 'identity.yaml': _gone, ...without } = files
  const before = { ...without, 'people.yaml': shopFiles['people.yaml'] ?? '' }
  expect(await find(store, [user('frank@example.com')], before)).toEqual({})
})

test('a membership that was only said at a sign-in is over at its end, to the instant', async () => {
  const store = await storeForTest()
  await known(store, [{ id: 'erin@example.com', groups: ['all'] }])
  const groups = async () => (await find(store, [user('erin@example.com')]))['user:erin@example.com']?.groups
  const until = (ms: number) =>
    store.db
      .updateTable('directoryMembership')
      .set({ endsAt: instantParam(instant(ms)) })
      .execute()
  await until(now + 1)
  expect(await groups()).toEqual(['engineers', 'okta/all'])
  await until(now)
  expect(await groups()).toEqual([])
})

test('a source does not take a person of another', async () => {
  const store = await storeForTest()
  await known(store, [{ id: 'erin@example.com', source: 'okta' }])
  await expect(known(store, [{ id: 'erin@example.com', source: 'entra', active: false }])).rejects.toThrow(
    'is one of okta',
  )
})
