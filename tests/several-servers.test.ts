/** Any number of servers on one store, started and stopped as it comes: the work is done, and done once. */

import { expect, test } from 'vitest'
import { logIn, loginsOn, opened, permitted } from './support/access.ts'
import { withClient } from './support/clients.ts'
import { edited } from './support/edit.ts'
import { entryTypesOf, inStore } from './support/story.ts'
import { createWorldForTest } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

test('a server that is started again goes on where the other left off', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
  const session = await logIn(credential)
  const waiting = await permitted(world.as('bob'))
  await world.server.stop()
  expect((await session.query('select 1 as one')).rows).toEqual([{ one: 1 }])

  const next = await world.startAnother()
  expect(next.firstToken).toBeUndefined()
  expect(next.verifierKey).toBe(world.server.verifierKey)
  expect((await world.at(next, 'alice').getGrant({ id: grant.id })).state).toBe('active')
  expect((await world.at(next, 'bob').activateGrant({ id: waiting })).grant.state).toBe('active')
  world.clock.set(Date.parse(grant.expiresAt as string))
  await next.drain()
  await session.cut
  expect((await world.at(next, 'alice').getGrant({ id: grant.id })).end?.reason).toBe('expired')
})

test('a grant that ended while no server ran is closed by the next one that starts', async () => {
  const world = await createWorldForTest()
  const { grant, credential } = await opened(world.as('alice'), { duration: '10m' })
  const session = await logIn(credential)
  await world.server.stop()
  world.clock.set(Date.parse(grant.expiresAt as string) + 86_400_000)
  const next = await world.startAnother()
  await next.drain()
  await session.cut
  expect(await loginsOn(world.target)).toEqual([])
  expect((await world.at(next, 'alice').getGrant({ id: grant.id })).state).toBe('ended')
})

test('what two servers see to at the same time is done once', async () => {
  const world = await createWorldForTest()
  const other = await world.startAnother()
  const grants: string[] = []
  for (let count = 0; count < 8; count++) grants.push((await opened(world.as('alice'), { duration: '10m' })).grant.id)
  const pending = await world
    .as('alice')
    .createRequest({ role: 'orders-db/writer', duration: '1h', reason: 'Fix order 7' })
  world.clock.advance(86_400_000)
  await Promise.all([world.server.drain(), other.drain(), world.server.drain(), other.drain()])
  await Promise.all([world.server.drain(), other.drain()])
  expect(await loginsOn(world.target)).toEqual([])
  for (const grant of grants) {
    const types = await entryTypesOf(world.admin, { grant })
    expect(types.filter((type) => type === 'grant.ending' || type === 'grant.ended')).toEqual([
      'grant.ending',
      'grant.ended',
    ])
  }
  expect(await entryTypesOf(world.admin, { request: pending.id })).toEqual(['request.filed', 'request.expired'])
})

test('a revoke at one server ends the session of a grant that was opened at another', async () => {
  const world = await createWorldForTest()
  const other = await world.startAnother()
  const { grant, credential } = await opened(world.as('alice'))
  const session = await logIn(credential)
  await world.at(other, 'dora').revokeGrant({ id: grant.id, reason: 'Enough' })
  await other.drain()
  await session.cut
  expect((await world.as('alice').getGrant({ id: grant.id })).state).toBe('ended')
})

test('of two activations of one grant at two servers, the holder is left with a credential that works', async () => {
  const world = await createWorldForTest()
  const other = await world.startAnother()
  const id = await permitted(world.as('alice'))
  const attempts = [world.as('alice').activateGrant({ id }), world.at(other, 'alice').activateGrant({ id })]
  const outcomes = await Promise.allSettled(attempts)
  const handedOut = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value.credential] : []))
  for (const one of outcomes) {
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'grant-busy' })
  }
  const { credential } = await world.as('alice').activateGrant({ id })
  await logIn(credential)
  expect(await loginsOn(world.target)).toEqual([credential.user])
  expect(handedOut.every(({ user }) => user === credential.user)).toBe(true)
})

test('with nobody to drain it, a server ends a grant by its own clock, and tells the other of a revoke', async () => {
  const world = await createWorldForTest({ background: true, time: 'system' })
  const other = await world.startAnother()
  const short = await opened(world.as('alice'), { duration: '3s' })
  const long = await opened(world.as('alice'))
  const [first, second] = [await logIn(short.credential), await logIn(long.credential)]
  await first.cut
  await world.at(other, 'dora').revokeGrant({ id: long.grant.id, reason: 'Enough' })
  await second.cut
})

test('an apply is answered when its targets are tended, also where another server is at them', async () => {
  const world = await createWorldForTest()
  const { store } = world
  const { grant } = await opened(world.as('alice'))
  const waiting = `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and query ~ $1`
  const waitingFor = (what: string) =>
    eventually(async () => expect(await inStore(store, waiting, [what])).not.toEqual([]))
  let answered = false
  const shorter = edited(world.files, 'access.cedar', [
    '@id("engineers-read") @max_duration("8h")',
    '@id("engineers-read") @max_duration("10m")',
  ])
  const files = edited(shorter, 'orders-db.yaml', ['[insert, update]', '[insert]'])
  // Between its commit and its own look at the target an apply changes the grants that policy gives less than they had.
  await withClient(store.connection, async (pause) => {
    await pause.query('begin; set search_path = tidegate')
    await pause.query('select from access_grant where id = $1 for update', [grant.id])
    const applying = world.admin.applyConfig({ files })
    void applying.then(() => (answered = true))
    await waitingFor('access_grant')
    await withClient(store.connection, async (other) => {
      await other.query('begin; set search_path = tidegate; select from target_state for update')
      await pause.query('commit')
      await waitingFor('target_state')
      expect(answered).toBe(false)
      await other.query(`update target_state set configuration = 2, tended_at = '2020-01-01'; commit`)
    })
    await applying
  })
  // What the other has done is not done twice.
  const tended = await inStore(store, 'select configuration, tended_at::date::text as on from target_state')
  expect(tended).toEqual([{ configuration: 2, on: '2020-01-01' }])
})
