import { readFileSync, readdirSync } from 'node:fs'
import { limits } from '@tidegate/api'
import { connectorKinds } from '@tidegate/connectors'
import { hours, parseInstant } from '@tidegate/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { people, policies, problemsOf, shop, shopFiles, snapshotOf, tokenHash } from '../testing/configuration.ts'
import { parseConfiguration } from './parse.ts'
import type { SourceFile } from './snapshot.ts'
import { findRole } from './snapshot.ts'

const withShop = (from: string, to: string) => {
  if (!shop.includes(from)) throw new Error(`The shop has no ${from}.`)
  return { ...shopFiles, 'shop.yaml': shop.replace(from, to) }
}

const parseAll = (files: readonly SourceFile[]) => {
  const result = parseConfiguration(files, { version: 1, kinds: connectorKinds })
  return result.ok ? [] : result.problems
}

test('nothing at all is a configuration: administrators, Tidegate itself, and nobody and nothing else', () => {
  const { declared, principals, resources, policies, tokens } = snapshotOf({})
  expect(declared.settings).toMatchObject({ administrators: 'tidegate-admins', fourEyes: false, timeZone: 'UTC' })
  expect([...resources.keys()]).toEqual(['tidegate'])
  expect([principals.size, policies.policies.length, tokens.size]).toEqual([0, 0, 0])
})

test('the example is a configuration', () => {
  const folder = new URL('../../../../examples/orders/', import.meta.url)
  const names = readdirSync(folder).filter((name) => /\.(ya?ml|cedar)$/.test(name))
  const texts = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]))
  expect(problemsOf(texts)).toEqual([])
  expect(snapshotOf(texts).resources.size).toBeGreaterThan(1)
})

test('principals are found by their key, with the groups they are in, also through other groups', () => {
  const { principals } = snapshotOf(shopFiles)
  const alice = { kind: 'user', id: 'alice', name: 'Alice', email: 'alice@example.com', manager: 'dora' }
  expect(Object.fromEntries(principals)).toEqual({
    'user:alice': { ...alice, groups: ['engineers'] },
    'user:dora': { kind: 'user', id: 'dora', groups: ['engineers', 'tidegate-admins'] },
    'service:ci': { kind: 'service', id: 'ci', groups: ['engineers'], owner: 'dora' },
    'agent:helper': { kind: 'agent', id: 'helper', groups: ['security'], actsFor: { ...alice, groups: ['engineers'] } },
  })
})

test('tokens are found by their hash, and a service says the signals it is declared for', () => {
  const { tokens, signalSources } = snapshotOf(shopFiles)
  expect(tokens.get('d'.repeat(64))).toEqual({
    principal: { kind: 'user', id: 'dora' },
    expires: parseInstant('2099-01-01T00:00:00Z'),
  })
  expect(signalSources.get('ci')).toEqual(new Set(['ticket']))
})

test('resources have their roles, and defaults where nothing is said', () => {
  const snapshot = snapshotOf(shopFiles)
  const found = findRole(snapshot, 'orders-db', 'readonly')
  expect(found?.role).toEqual({ resource: 'orders-db', name: 'readonly', risk: 'low' })
  expect(found?.entry.resource).toMatchObject({ labels: { env: 'production' }, whenUnreachable: 'fail' })
  expect(findRole(snapshot, 'orders-db', 'writer')).toBeUndefined()
  expect(findRole(snapshot, 'constructor', 'readonly')).toBeUndefined()
  expect(snapshot.declared.settings.requestTimeout).toBe(hours(24))
})

test('the order of the files makes no difference, and every byte of them does', () => {
  const { hash } = snapshotOf(shopFiles)
  expect(snapshotOf(Object.fromEntries(Object.entries(shopFiles).toReversed())).hash).toBe(hash)
  const others = [
    { ...shopFiles, 'people.yaml': `${people} ` },
    { 'people.yml': people, 'shop.yaml': shop, 'access.cedar': policies },
    { ...shopFiles, 'empty.yaml': '' },
  ]
  expect(new Set([hash, ...others.map((texts) => snapshotOf(texts).hash)]).size).toBe(4)
})

test('no two sets of files have the same hash, wherever the border between them lies', () => {
  const files = fc.dictionary(fc.stringMatching(/^[#a]{1,3}\.yaml$/), fc.stringMatching(/^#[#a.yml:1-9]{0,8}$/))
  fc.assert(
    fc.property(files, files, (one, other) => {
      const sorted = (texts: object) => JSON.stringify(Object.entries(texts).toSorted())
      expect(snapshotOf(one).hash === snapshotOf(other).hash).toBe(sorted(one) === sorted(other))
    }),
  )
})

test('what several files declare adds up', () => {
  const { principals } = snapshotOf({ ...shopFiles, 'more.yaml': 'users: [{ id: bob, manager: dora }]' })
  expect(principals.has('user:bob')).toBe(true)
})

test('every problem of every file is told at once, each with its place', () => {
  const problems = problemsOf({
    'people.yaml': people,
    'bad.yaml':
      'users:\n  - { id: "a b" }\n  - { id: eve, tokens: [{ hash: abc, expires: soon }] }\ngroups: [{ id: owner }]\n',
    'broken.yaml': 'users: [\n',
    'shop.yaml': shop
      .replace('password: env:ORDERS_DB_PASSWORD', 'password: hunter2')
      .replace('risk: low', 'risk: none'),
    'db.yaml': shop.replace('orders-db', 'other-db').replace('password: env:ORDERS_DB_PASSWORD', 'password: hunter2'),
    'access.cedar': '@id("x") @max_duration("long")\npermit (principal, action, resource);',
  })
  const fields = problems.map(({ field }) => field)
  for (const field of [
    'bad.yaml:2:11',
    'bad.yaml:3:33',
    'bad.yaml:3:47',
    'bad.yaml:4:16',
    'shop.yaml:16:15',
    'db.yaml:11:17',
  ])
    expect(fields).toContain(field)
  for (const path of ['broken.yaml', 'access.cedar'])
    expect(fields).toContainEqual(expect.stringMatching(new RegExp(`^${path}:\\d+:\\d+$`)))
  expect(JSON.stringify(problems)).not.toContain('hunter2')
})

test.each<[what: string, texts: Record<string, string>, field: string, message: string]>([
  ['a manager who is nobody', { 'a.yaml': 'users: [{ id: a, manager: b }]' }, 'a.yaml:1:27', 'There is no user b.'],
  ['an owner who is nobody', { 'a.yaml': 'services: [{ id: a, owner: b }]' }, 'a.yaml:1:28', 'There is no user b.'],
  ['an agent of nobody', { 'a.yaml': 'agents: [{ id: a, user: b }]' }, 'a.yaml:1:25', 'There is no user b.'],
  ['a member who is nobody', { 'a.yaml': 'groups: [{ id: a, members: [b] }]' }, 'a.yaml:1:29', 'There is no user b.'],
  [
    'a service that there is not in a group',
    { 'a.yaml': 'groups: [{ id: a, members: [service:b] }]' },
    'a.yaml:1:29',
    'There is no service b.',
  ],
  [
    'a group that there is not in a group',
    { 'a.yaml': 'groups: [{ id: a, members: [group:b] }]' },
    'a.yaml:1:29',
    'There is no group b.',
  ],
  [
    'administrators of no group',
    { 'a.yaml': 'settings: { administrators: a }' },
    'a.yaml:1:29',
    'There is no group a.',
  ],
  [
    'auditors of no group',
    { ...shopFiles, 'people.yaml': people.replace('auditors: security', 'auditors: nobody') },
    'people.yaml:1:56',
    'There is no group nobody.',
  ],
  [
    'a resource of no group',
    withShop('owner: engineers', 'owner: nobody'),
    'shop.yaml:6:12',
    'There is no group nobody.',
  ],
  ['a user twice', { 'a.yaml': 'users: [{ id: a }, { id: a }]' }, 'a.yaml:1:26', 'a is declared twice.'],
  [
    'a resource twice',
    { ...shopFiles, 'z.yaml': shop.replace('host: 127.0.0.1', 'host: 127.0.0.2') },
    'z.yaml:2:9',
    'orders-db is declared twice.',
  ],
  [
    'settings twice',
    { ...shopFiles, 'z.yaml': 'settings: { administrators: security }' },
    'z.yaml:1:11',
    'Settings stand in more than one file.',
  ],
  [
    'one token of two principals',
    {
      ...shopFiles,
      'z.yaml': `services: [{ id: b, tokens: [{ hash: '${tokenHash('d')}', expires: '2099-01-01T00:00:00Z' }] }]`,
    },
    'z.yaml:1:38',
    'This token is declared twice.',
  ],
  [
    'two resources on one target',
    { ...shopFiles, 'z.yaml': shop.replace('orders-db', 'other-db') },
    'z.yaml:8:7',
    'The resource orders-db has the same target',
  ],
  [
    'a connector that there is not',
    withShop('kind: postgres', 'kind: oracle'),
    'shop.yaml:3:11',
    'There is no connector oracle.',
  ],
  [
    'a connection without a host',
    withShop('      host: 127.0.0.1\n', ''),
    'shop.yaml:8:7',
    'connection.host: host has to be',
  ],
  [
    'a resource without roles',
    { 'a.yaml': 'resources: [{ id: a, kind: postgres, roles: [] }]' },
    'a.yaml:1:45',
    'gives nothing',
  ],
  [
    'a role twice',
    withShop('    roles:\n', `    roles:\n${shop.slice(shop.indexOf('      - name'))}`),
    'shop.yaml:19:15',
    'The role readonly is declared twice.',
  ],
  ['a role with a name that is taken', withShop('name: readonly', 'name: grt-1'), 'shop.yaml:15:15', 'are taken'],
  [
    'a role that gives nothing',
    withShop("privileges: [{ schema: shop, tables: '*', privileges: [select] }]", 'privileges: []'),
    'shop.yaml:18:21',
    'at least one',
  ],
  ['a group called manager', { 'a.yaml': 'groups: [{ id: manager }]' }, 'a.yaml:1:16', 'are taken'],
  ['a group called owner', { 'a.yaml': 'groups: [{ id: owner }]' }, 'a.yaml:1:16', 'are taken'],
  ['a group with an upper-case name', { 'a.yaml': 'groups: [{ id: Team }]' }, 'a.yaml:1:16', 'lower-case'],
  ['an id with a colon', { 'a.yaml': 'users: [{ id: "a:b" }]' }, 'a.yaml:1:15', 'letters, digits'],
  [
    'a token without an end',
    { 'a.yaml': `users: [{ id: a, tokens: [{ hash: '${tokenHash('a')}' }] }]` },
    'a.yaml:1:27',
    'tokens[0].expires',
  ],
  [
    'a token in clear',
    { 'a.yaml': `users: [{ id: a, tokens: [{ hash: tdg_x, expires: '2099-01-01T00:00:00Z' }] }]` },
    'a.yaml:1:35',
    'sha256:',
  ],
  [
    'a date that is none',
    { 'a.yaml': `users: [{ id: a, tokens: [{ hash: '${tokenHash('a')}', expires: '2099-02-30T00:00:00Z' }] }]` },
    'a.yaml:1:119',
    'RFC 3339',
  ],
  [
    'a duration without a unit',
    { 'a.yaml': 'settings: { administrators: a, requestTimeout: "24" }' },
    'a.yaml:1:48',
    'positive duration',
  ],
  [
    'a time zone that is none',
    { 'a.yaml': 'settings: { administrators: a, timeZone: Mars/Base }' },
    'a.yaml:1:42',
    'IANA time zone',
  ],
  ['a signal that there is not', { 'a.yaml': 'services: [{ id: a, signals: [mood] }]' }, 'a.yaml:1:31', 'signals[0]'],
  [
    'a policy for a group that there is not',
    { ...shopFiles, 'access.cedar': policies.replace('engineers"', 'engineerz"') },
    'access.cedar:2',
    'engineerz',
  ],
  ['a file of another kind', { 'notes.txt': 'hello' }, 'notes.txt', 'Not a configuration file.'],
])('%s is a problem at its place', (_what, texts, field, message) => {
  const found = problemsOf(texts)
  expect(found.map((problem) => `${problem.field} ${problem.message}`).join('\n')).toContain(message)
  expect(found.filter((problem) => problem.message.includes(message)).map((problem) => problem.field)).toContainEqual(
    expect.stringContaining(field),
  )
})

test('a file that is named twice is a problem', () => {
  // Two entries of one name, which an object cannot hold.
  const twice = [
    { path: 'a.yaml', text: '' },
    { path: 'a.yaml', text: 'users: [{ id: eve }]' },
  ]
  expect(parseAll(twice)).toEqual([{ field: 'a.yaml', message: 'The file is named twice.' }])
})

test('more files than the API takes are a problem', () => {
  const many = Array.from({ length: limits.configFiles + 1 }, (_, i) => ({ path: `${i}.yaml`, text: '' }))
  expect(parseAll(many)).toHaveLength(1)
})
