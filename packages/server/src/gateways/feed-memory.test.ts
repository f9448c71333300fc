import { instant } from '@tidegate/core'
import { expect, test } from 'vitest'
import type { Memory } from './feed-memory.ts'
import { createMemory } from './feed-memory.ts'
import type { Standing } from './feed-reads.ts'
import { gatewayServerLimits } from './limits.ts'

const gateway = { id: 'gw-1', enrolledAt: instant(0) }
const only = (...resources: string[]) => ({ ...gateway, resources })

const live = (grant: string, { mark = '1', resource = 'orders-db' } = {}): Standing => ({
  mark,
  grant: {
    grant,
    resource,
    role: `${resource}/readonly`,
    principal: 'user:alice',
    databases: ['orders'],
    verifier: `SCRAM-SHA-256$${mark}`,
    expiresAt: '2026-01-05T09:00:00Z',
    rules: 'r1',
  },
})

const put = (memory: Memory, standings: Record<string, Standing>): unknown =>
  memory.putGrants(Object.keys(standings), new Map(Object.entries(standings)))

const cursorOf = (memory: Memory): string => memory.since(undefined, gateway).told.cursor

test('from a cursor on it tells what changed since, and from none, a foreign or an impossible one, everything', () => {
  const memory = createMemory('a')
  put(memory, { grt_1: live('grt_1') })
  const cursor = cursorOf(memory)
  put(memory, { grt_2: live('grt_2') })
  const ids = (from: string | undefined): string[] => memory.since(from, gateway).told.grants.map(({ grant }) => grant)
  expect(ids(cursor)).toEqual(['grt_2'])
  for (const other of [undefined, '', 'a', 'a.', 'a.x', 'a.-1', 'a.99', cursorOf(createMemory('b'))]) {
    expect(memory.since(other, gateway).told.whole).toBe(true)
    expect(ids(other)).toEqual(['grt_1', 'grt_2'])
  }
})

test('what is as it was is no news, and what was never told as live is not told as over', () => {
  const memory = createMemory('a')
  put(memory, { grt_1: live('grt_1') })
  const cursor = cursorOf(memory)
  put(memory, { grt_1: live('grt_1'), grt_2: { ended: 'over' } })
  expect(memory.since(cursor, gateway)).toMatchObject({ isNews: false, told: { grants: [], ended: [] } })
})

test('of a grant that came, changed and went only the last is told', () => {
  const memory = createMemory('a')
  const cursor = cursorOf(memory)
  put(memory, { grt_1: live('grt_1') })
  put(memory, { grt_1: live('grt_1', { mark: '2' }) })
  expect(memory.since(cursor, gateway).told.grants).toMatchObject([{ verifier: 'SCRAM-SHA-256$2' }])
  put(memory, { grt_1: { ended: 'over' } })
  expect(memory.since(cursor, gateway).told).toMatchObject({ grants: [], ended: [{ grant: 'grt_1', reason: 'over' }] })
})

test('a gateway hears of its resources and of its sessions, and of no others', () => {
  const memory = createMemory('a')
  const cursor = cursorOf(memory)
  put(memory, { grt_1: live('grt_1'), grt_2: live('grt_2', { resource: 'other-db' }) })
  memory.putOrders(new Map([['kill ses_1', { gateway: 'gw-2', kill: { session: 'ses_1', reason: 'why' } }]]))
  expect(memory.since(cursor, only('other-db')).told.grants.map(({ grant }) => grant)).toEqual(['grt_2'])
  expect(memory.since(cursor, only('none')).isNews).toBe(false)
  expect(memory.since(undefined, only('none')).told).toMatchObject({ grants: [], kill: [] })
  expect(memory.since(cursor, { ...only('none'), id: 'gw-2' }).told.kill).toEqual([{ session: 'ses_1', reason: 'why' }])
})

test('it finds what differs from the store, in either direction', () => {
  const memory = createMemory('a')
  put(memory, { grt_1: live('grt_1'), grt_2: live('grt_2'), grt_3: live('grt_3') })
  const marks = new Map([
    ['grt_1', '1'],
    ['grt_2', '2'],
    ['grt_4', '1'],
  ])
  expect(memory.differing(marks)).toEqual(['grt_2', 'grt_4', 'grt_3'])
})

test('who was away for longer than it remembers is told everything, and the rest goes on', () => {
  const memory = createMemory('a')
  const cursor = cursorOf(memory)
  for (let mark = 0; mark < gatewayServerLimits.remembered; mark++)
    put(memory, { grt_1: live('grt_1', { mark: String(mark) }) })
  expect(memory.since(cursor, gateway).told.whole).toBe(false)
  const recent = cursorOf(memory)
  put(memory, { grt_2: live('grt_2') })
  expect(memory.since(cursor, gateway).told.whole).toBe(true)
  expect(memory.since(recent, gateway).told).toMatchObject({ whole: false, grants: [{ grant: 'grt_2' }] })
})

test('what is over stays over, whatever was read of it before', () => {
  const memory = createMemory('a')
  put(memory, { grt_1: live('grt_1') })
  const cursor = cursorOf(memory)
  memory.putOver('grt_1', 'access was revoked')
  memory.putOver('grt_2', 'access was revoked')
  put(memory, { grt_1: live('grt_1'), grt_2: live('grt_2') })
  expect(memory.since(cursor, gateway).told).toMatchObject({
    grants: [],
    ended: [{ grant: 'grt_1', reason: 'access was revoked' }],
  })
  expect(memory.since(undefined, gateway).told.grants).toEqual([])
})
