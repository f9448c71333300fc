import { expect, test } from 'vitest'
import type { Texts } from '../testing/configuration.ts'
import { people, policies, shop, shopFiles, snapshotOf, tokenHash } from '../testing/configuration.ts'
import type { PlanItem } from './plan.ts'
import { needsSecondPerson, planItems, touchedResources } from './plan.ts'
import type { Snapshot } from './snapshot.ts'

const before = snapshotOf(shopFiles)
const plan = (texts: Texts, from: Snapshot = before) => planItems(from, snapshotOf(texts, from.version + 1))

const edited = (name: keyof typeof shopFiles, from: string, to: string): Texts => {
  if (!shopFiles[name]?.includes(from)) throw new Error(`${name} has no ${from}.`)
  return { ...shopFiles, [name]: shopFiles[name].replace(from, to) }
}

const brief = ({ action, kind, id, sensitive }: PlanItem) => `${action} ${kind} ${id}${sensitive ? '' : ' (alone)'}`

test('the first configuration creates everything that it declares', () => {
  expect(plan(shopFiles, snapshotOf({}, 0)).map(brief)).toEqual([
    'create settings settings',
    'create user alice',
    'create user dora',
    'create service ci',
    'create agent helper',
    'create group engineers',
    'create group security',
    'create group tidegate-admins',
    'create resource orders-db',
    'create role orders-db/readonly',
    'create policy engineers-read',
  ])
})

test('the same configuration in other words changes nothing', () => {
  expect(plan(shopFiles)).toEqual([])
  expect(plan({ ...shopFiles, 'people.yaml': `# Everyone\n${people}\n\n`, 'empty.yaml': '' })).toEqual([])
  expect(plan({ 'all.yaml': `${people}${shop}`, 'access.cedar': policies })).toEqual([])
  expect(
    plan(
      edited('people.yaml', '[alice, service:ci, group:tidegate-admins]', '[group:tidegate-admins, service:ci, alice]'),
    ),
  ).toEqual([])
})

test.each<[item: string, texts: Texts, detail: string]>([
  ['change user alice (alone)', edited('people.yaml', 'name: Alice', 'name: Alina'), 'name: Alice → Alina'],
  [
    'change user alice',
    edited('people.yaml', 'email: alice@', 'email: alina@'),
    'email: alice@example.com → alina@example.com',
  ],
  ['change user alice', edited('people.yaml', ', manager: dora', ', manager: alice'), 'manager: dora → alice'],
  ['change user alice', edited('people.yaml', ', manager: dora', ''), 'manager: dora → —'],
  [
    'change user dora',
    edited('people.yaml', tokenHash('d'), tokenHash('e')),
    'tokens: sha256:dddddddddddddddd… until 2099-01-01T00:00:00.000Z → sha256:eeeeeeeeeeeeeeee… until 2099-01-01T00:00:00.000Z',
  ],
  [
    'change service ci',
    edited('people.yaml', 'signals: [ticket]', 'signals: [ticket, device]'),
    'signals: ticket → ticket, device',
  ],
  ['change service ci', edited('people.yaml', 'owner: dora', 'owner: alice'), 'owner: dora → alice'],
  ['change agent helper', edited('people.yaml', 'user: alice', 'user: dora'), 'user: alice → dora'],
  [
    'change group security',
    edited('people.yaml', '[agent:helper]', '[agent:helper, alice]'),
    'members: agent:helper → agent:helper, alice',
  ],
  ['change settings settings', edited('people.yaml', 'auditors: security', 'fourEyes: true'), 'fourEyes: false → true'],
  [
    'change settings settings',
    edited('people.yaml', 'auditors: security', 'auditors: security, requestTimeout: 90m'),
    'requestTimeout: 1d → 1h30m',
  ],
  [
    'change resource orders-db (alone)',
    edited('shop.yaml', 'description: Orders', 'description: All orders'),
    'description: Orders → All orders',
  ],
  [
    'change resource orders-db',
    edited('shop.yaml', 'env: production', 'env: staging'),
    'labels.env: production → staging',
  ],
  [
    'change resource orders-db',
    edited('shop.yaml', 'host: 127.0.0.1', 'host: 127.0.0.9'),
    'connection.host: 127.0.0.1 → 127.0.0.9',
  ],
  [
    'change resource orders-db',
    edited('shop.yaml', 'owner: engineers', 'owner: security'),
    'owner: engineers → security',
  ],
  [
    'change role orders-db/readonly (alone)',
    edited('shop.yaml', 'description: Read', 'description: Look'),
    'description: Read → Look',
  ],
  ['change role orders-db/readonly', edited('shop.yaml', 'risk: low', 'risk: admin'), 'risk: low → admin'],
  ['change policy engineers-read', edited('access.cedar', '8h', '9h'), '9h'],
])('%s: in words, and seen by a second person unless it is harmless', (item, texts, detail) => {
  const items = plan(texts)
  expect(items.map(brief)).toContain(item)
  expect(items.find((one) => brief(one) === item)?.details.join('\n')).toContain(detail)
})

test('a harmless change beside another does not make that one harmless', () => {
  const both = edited(
    'people.yaml',
    'name: Alice, email: alice@example.com, manager: dora',
    'name: Alina, manager: alice',
  )
  expect(plan(both).map(brief)).toEqual(['change user alice'])
})

test('whatever is removed, and whatever is new, a second person sees', () => {
  const none = planItems(before, snapshotOf({}, 2))
  expect(none.filter(({ action }) => action === 'remove')).toHaveLength(10)
  expect(none.every(({ sensitive }) => sensitive)).toBe(true)
  expect(plan(shopFiles, snapshotOf({}, 0)).every(({ sensitive }) => sensitive)).toBe(true)
})

test('four eyes are those of the configuration in force: nobody turns them off alone', () => {
  const watched = snapshotOf(edited('people.yaml', 'auditors: security', 'auditors: security, fourEyes: true'))
  const off = planItems(watched, snapshotOf(shopFiles, 2))
  expect(off.map(brief)).toEqual(['change settings settings'])
  expect(needsSecondPerson(watched, off)).toBe(true)
  expect(needsSecondPerson(before, planItems(before, watched))).toBe(false)
  const harmless = planItems(before, snapshotOf(edited('people.yaml', 'name: Alice', 'name: Alina'), 2))
  expect(needsSecondPerson(watched, harmless)).toBe(false)
})

test.each([
  ['a list of two, and one name with a comma in it', 'databases: [orders]', ['[a, b]', '["a, b"]']],
  ['a list of one, and its member', 'databases: [orders]', ['[orders]', '["[\\"orders\\"]"]']],
])('two values that read alike are two values: %s', (_what, from, values) => {
  const [one, other] = values.map((value) => snapshotOf(edited('shop.yaml', from, `databases: ${value}`)))
  expect(planItems(one!, other!).map(brief)).toEqual(['change resource orders-db'])
})

test('a token whose hash begins like another’s is another token', () => {
  const like = `${tokenHash('d').slice(0, -1)}e`
  expect(plan(edited('people.yaml', tokenHash('d'), like)).map(brief)).toEqual(['change user dora'])
})

type Leaf = { readonly path: readonly PropertyKey[]; readonly value: string | number | boolean }

const leavesOf = (value: unknown, path: readonly PropertyKey[] = []): Leaf[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, [...path, name]))
    : value === undefined
      ? []
      : [{ path, value: value as Leaf['value'] }]

const otherThan = (value: Leaf['value']): Leaf['value'] =>
  typeof value === 'string' ? `${value}x` : typeof value === 'number' ? value + 60_000 : !value

function withLeaf<T>(whole: T, path: readonly PropertyKey[], value: unknown): T {
  const copy = structuredClone(whole)
  let at = copy as Record<PropertyKey, unknown>
  for (const name of path.slice(0, -1)) at = at[name] as Record<PropertyKey, unknown>
  at[path.at(-1)!] = value
  return copy
}

test('whatever single value of a configuration changes is in the plan; only names and descriptions pass alone', () => {
  const harmless = /^(users\.\d+\.name|resources\.\d+\.(roles\.\d+\.)?description)$/
  const leaves = leavesOf(before.declared)
  expect(leaves.length).toBeGreaterThan(40)
  for (const { path, value } of leaves) {
    const declared = withLeaf(before.declared, path, otherThan(value))
    const items = planItems(before, { ...before, declared })
    expect(items.length, path.join('.')).toBeGreaterThan(0)
    expect(
      items.some(({ sensitive }) => sensitive),
      path.join('.'),
    ).toBe(!harmless.test(path.join('.')))
  }
})

test('a target is tended when its connection, kind or roles change, or it comes or goes, and not otherwise', () => {
  const touched = (texts: Texts) => touchedResources(before.declared, snapshotOf(texts).declared)
  expect(touched(shopFiles)).toEqual([])
  expect(touched(edited('shop.yaml', 'description: Orders', 'description: All'))).toEqual([])
  expect(touched(edited('shop.yaml', 'env: production', 'env: staging'))).toEqual([])
  expect(touched(edited('shop.yaml', 'host: 127.0.0.1', 'host: 127.0.0.9'))).toEqual(['orders-db'])
  expect(touched(edited('shop.yaml', 'privileges: [select]', 'privileges: [select, insert]'))).toEqual(['orders-db'])
  expect(touched({})).toEqual(['orders-db'])
  expect(touched({ ...shopFiles, 'shop.yaml': shop.replace('orders-db', 'stock-db') })).toEqual([
    'orders-db',
    'stock-db',
  ])
})
