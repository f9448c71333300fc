/** What roles gave and what was used of it: counted out of what was told, and never taken for more than that. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Output } from '@tidegate/api'
import { opened } from './support/access.ts'
import { edited } from './support/edit.ts'
import type { Gateway } from './support/gateways.ts'
import { joined, newSession, reportsOf, throughGateways } from './support/gateways.ts'
import type { World } from './support/tidegate.ts'
import { createWorld, defaultFiles } from './support/tidegate.ts'

type Usage = Output<'roleUsage'>['items'][number]
type Used = { readonly tables: Record<string, string[]>; readonly left: number }

let world: World & { readonly stop: () => Promise<void> }
let gateway: Gateway

beforeAll(async () => {
  world = await createWorld({ files: (parts) => throughGateways(defaultFiles(parts)) })
  gateway = await joined(world)
})
afterAll(() => world.stop())

/** A session by that role that has ended, and has used that. */
async function session(grant: string, used?: Used): Promise<void> {
  const reports = reportsOf(world, { session: newSession(), grant })
  await gateway.client.reportSessions({ reports: [reports.opened(), reports.ended({ used })] })
}

const usageOf = async (who: string, filter: object = {}): Promise<Usage[]> =>
  (await world.as(who).roleUsage(filter)).items

const codeOf = (asked: Promise<unknown>): Promise<string> =>
  asked.then(
    () => 'done',
    (error: { code: string }) => error.code,
  )

const readonlyRole = { role: 'orders-db/readonly' }

test('before anyone has used a role nothing is said of it, and it is there', async () => {
  expect(await usageOf('sam')).toEqual(
    ['maintainer', 'readonly', 'writer'].map((name) => ({
      role: `orders-db/${name}`,
      grants: 0,
      sessions: 0,
      counted: 0,
      withoutData: 0,
      incomplete: 0,
    })),
  )
})

test('sessions that say nothing are no sign of disuse: they are counted beside', async () => {
  const { grant } = await opened(world.as('alice'))
  await session(grant.id)
  expect(await usageOf('sam', readonlyRole)).toEqual([
    { role: 'orders-db/readonly', grants: 1, sessions: 1, counted: 0, withoutData: 1, incomplete: 0 },
  ])
})

test('what was given and used by nobody is unused, over all sessions and grants together', async () => {
  const [alice, bob] = [await opened(world.as('alice')), await opened(world.as('bob'))]
  await session(alice.grant.id, { tables: { 'shop.orders': ['SELECT'], '': ['BEGIN'] }, left: 0 })
  await session(bob.grant.id, {
    tables: { customers: ['SELECT', 'UPDATE'], 'pg_catalog.pg_class': ['SELECT'] },
    left: 3,
  })
  const [usage] = await usageOf('sam', readonlyRole)
  expect(usage).toMatchObject({ grants: 3, sessions: 3, counted: 2, withoutData: 1, incomplete: 1 })
  expect(usage!.used).toEqual({
    '': ['BEGIN'],
    customers: ['SELECT', 'UPDATE'],
    'pg_catalog.pg_class': ['SELECT'],
    'shop.orders': ['SELECT'],
  })
  expect(usage!.comparison).toEqual({
    unused: {},
    narrower: { 'shop.*': ['customers', 'shop.orders'] },
    elsewhere: ['pg_catalog.pg_class'],
  })
})

test('a role is held against what it gave when it was used, also where it gives less since', async () => {
  const from = '      - name: readonly\n        risk: low\n        privileges:\n'
  const given = `${from}          - { schema: shop, tables: [products], privileges: [select, insert] }\n`
  await world.admin.applyConfig({ files: edited(world.files, 'orders-db.yaml', [from, given]) })
  const { grant } = await opened(world.as('carol'))
  await session(grant.id, { tables: { 'shop.products': ['SELECT'] }, left: 0 })
  await world.admin.applyConfig({ files: world.files })
  const [usage] = await usageOf('sam', readonlyRole)
  expect(usage!.comparison!.unused).toEqual({ 'shop.products': ['insert'] })
})

test('what was long ago does not count', async () => {
  world.clock.advance(31 * 86_400_000)
  const [month, year] = [
    await usageOf('sam', { ...readonlyRole, days: 30 }),
    await usageOf('sam', { ...readonlyRole, days: 365 }),
  ]
  expect(month[0]).toMatchObject({ sessions: 0, counted: 0 })
  expect(month[0]!.comparison).toBeUndefined()
  expect(year[0]).toMatchObject({ sessions: 4, counted: 3 })
})

test('auditors see all roles, owners those on their resources, others none', async () => {
  const counts: Record<string, number> = {}
  for (const who of ['sam', 'dora', 'bob', 'alice', 'carol']) counts[who] = (await usageOf(who)).length
  expect(counts).toEqual({ sam: 3, dora: 3, bob: 3, alice: 0, carol: 0 })
  expect(await codeOf(usageOf('alice', readonlyRole))).toBe('not-found')
  expect(await codeOf(usageOf('sam', { role: 'orders-db/none' }))).toBe('not-found')
  expect(await usageOf('sam', { resource: 'none' })).toEqual([])
  expect(await codeOf(usageOf('sam', { days: 0 }))).toBe('invalid-input')
})
