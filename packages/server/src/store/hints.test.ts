import type { Millis } from '@tidegate/core'
import { after, instant } from '@tidegate/core'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { clusterOf } from '../../../../tests/support/databases.ts'
import { startProxyForTest } from '../../../../tests/support/proxy.ts'
import { secretUrlOf } from '../embedded/connection.ts'
import { createLogger } from '../logger.ts'
import type { TestStore } from '../testing/store.ts'
import { storeForTest } from '../testing/store.ts'
import type { Hint, Unit } from './change.ts'
import { change } from './change.ts'
import { listenForHints } from './hints.ts'

/** Everything heard, and a promise of the next. */
function ear() {
  const heard: (Hint | undefined)[] = []
  let waiting: (() => void) | undefined
  return {
    heard,
    hear(hint: Hint | undefined): void {
      heard.push(hint)
      waiting?.()
    },
    async until(count: number): Promise<void> {
      while (heard.length < count) await new Promise<void>((resolve) => (waiting = resolve))
    },
  }
}

const listeners = async ({ database }: TestStore): Promise<unknown[]> => {
  const { rows } = await withClient(database.connection, (client) =>
    client.query(`select pid from pg_stat_activity
                  where application_name = 'tidegate-hints' and datname = current_database()`),
  )
  return rows
}

async function setUp() {
  const store = await storeForTest()
  const { heard, hear, until } = ear()
  const hints = listenForHints({ url: store.database.url, log: createLogger('silent'), keys: [], heard: hear })
  onTestFinished(() => hints.stop())
  await until(1)
  const hint = (...list: Hint[]) => change(store, async (unit: Unit) => list.forEach((one) => unit.hint(one)))
  const cut = () =>
    withClient(store.database.connection, (client) =>
      client.query(`select pg_terminate_backend(pid) from pg_stat_activity
                    where application_name = 'tidegate-hints' and datname = current_database()`),
    )
  return { store, hints, heard, until, hint, cut }
}

const due = (at: number): Hint => ({ to: 'due', at: instant(at) })

test('a hint is heard when its change is committed: of each kind one, the earliest', async () => {
  const { heard, until, hint } = await setUp()
  await hint(due(20), due(10), due(30), { to: 'targets', at: instant(40) })
  await until(3)
  await hint(due(50))
  await until(4)
  expect(heard).toEqual([undefined, due(10), { to: 'targets', at: 40 }, due(50)])
})

test('of what gateways are to hear each thing is named once, here and there', async () => {
  const { store, heard, until } = await setUp()
  const told: Hint[] = []
  const about = (id: string): Hint => ({ to: 'gateways', about: id })
  await change({ ...store, wake: (one) => void told.push(one) }, async (unit) => {
    for (const id of ['grt_1', 'ses_1', 'grt_1', 'gw-1']) unit.hint(about(id))
  })
  await until(4)
  expect(told).toEqual([about('grt_1'), about('ses_1'), about('gw-1')])
  expect(heard).toEqual([undefined, ...told])
})

test('this process is told of everything once it is committed, the others of what is near, and nobody else of entries', async () => {
  const { store, heard, until, hint } = await setUp()
  const told: Hint[] = []
  const wake = (one: Hint): void => void told.push(one)
  await change({ ...store, wake }, async ({ now, record, ...unit }) => {
    record({ type: 'installation.created', at: now, fields: {} })
    unit.hint({ to: 'due', at: after(now, 3_600_000 as Millis) })
    expect(told).toEqual([])
  })
  expect(told.map(({ to }) => to)).toEqual(['due', 'entries'])
  await hint(due(20))
  await until(2)
  expect(heard).toEqual([undefined, due(20)])
})

test('a change that is rolled back hints nothing', async () => {
  const { store, heard, until, hint } = await setUp()
  const told: Hint[] = []
  const broken = change({ ...store, wake: (one) => void told.push(one) }, async (unit) => {
    unit.hint(due(10))
    throw new Error('rolled back')
  })
  await expect(broken).rejects.toThrow('rolled back')
  expect(told).toEqual([])
  await hint(due(20))
  await until(2)
  expect(heard).toEqual([undefined, due(20)])
})

test('what is no hint of ours is not heard', async () => {
  const { store, heard, until, hint } = await setUp()
  const payloads = [
    '',
    'due',
    'due x',
    'due -1',
    'stop 1',
    'due 1 2',
    'due 9999999999999999',
    'gateways',
    'gateways a b',
  ]
  for (const payload of payloads) await sql`select pg_notify('tidegate', ${payload})`.execute(store.db)
  await hint(due(20))
  await until(2)
  expect(heard).toEqual([undefined, due(20)])
})

test('after a broken connection it listens again, and says that something may have been missed', async () => {
  const { heard, until, hint, cut } = await setUp()
  await cut()
  await until(2)
  await hint(due(20))
  await until(3)
  expect(heard).toEqual([undefined, undefined, due(20)])
})

test('a connection that has fallen silent is made anew, and a stop does not wait for it', async () => {
  const store = await storeForTest()
  const { heard, hear, until } = ear()
  const proxy = await startProxyForTest(clusterOf('store'))
  const url = secretUrlOf({ ...store.database.connection, host: proxy.host, port: proxy.port })
  const silent = proxy.holdRequest('select 1')
  const hints = listenForHints({ url, log: createLogger('silent'), keys: [], heard: hear, beatMs: 1_000 })
  onTestFinished(() => hints.stop())
  await silent
  await until(2)
  await change(store, async (unit) => unit.hint(due(20)))
  await until(3)
  expect(heard).toEqual([undefined, undefined, due(20)])
  const again = proxy.holdRequest('select 1')
  await again
  await hints.stop()
})

test('after a stop nothing is heard and no connection is left, also when it was broken before', async () => {
  const { store, hints, heard, hint, cut } = await setUp()
  await cut()
  await hints.stop()
  await hints.stop()
  await hint(due(20))
  expect(heard).toEqual([undefined])
  expect(await listeners(store)).toEqual([])
})

test('a stop before the first connection is made leaves none', async () => {
  const store = await storeForTest()
  const { heard, hear } = ear()
  const hints = listenForHints({ url: store.database.url, log: createLogger('silent'), keys: [], heard: hear })
  await hints.stop()
  await change(store, async (unit) => unit.hint(due(20)))
  expect(heard).toEqual([])
  expect(await listeners(store)).toEqual([])
})
