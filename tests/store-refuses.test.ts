/** What the code should never ask, the database refuses: whoever writes past Tidegate is held to its rules. */

import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { GrantState, RequestStatus } from '@tidegate/core'
import { grantMayGo, grantStates, requestMayGo, requestStatuses } from '@tidegate/core'
import { opened, permitted } from './support/access.ts'
import { inStore, stateOf } from './support/story.ts'
import { createWorld } from './support/tidegate.ts'

let world: Awaited<ReturnType<typeof createWorld>>
let grant: string
beforeAll(async () => {
  world = await createWorld()
  grant = (await opened(world.as('alice'))).grant.id
  await world.server.drain()
})
afterAll(() => world.stop())

test.each([
  ['rewritten', `update audit_entry set body = 'x'`],
  ['renamed', `update audit_entry set type = 'grant.reissued'`],
  ['dated back', `update audit_entry set at = at - interval '1 day'`],
  ['moved', 'update audit_entry set leaf_index = leaf_index + 1000'],
  ['taken out of its place', 'update audit_entry set leaf_index = null'],
  ['removed', 'delete from audit_entry'],
  ['removed with all others', 'truncate audit_entry cascade'],
])('an entry is not %s', async (_how, statement) => {
  const before = await stateOf(world.store)
  await expect(inStore(world.store, statement)).rejects.toThrow(/entries do not change/)
  expect(await stateOf(world.store)).toEqual(before)
})

test('a webhook goes on in the log and never back', async () => {
  await inStore(world.store, `insert into webhook (id, declared, next_index) values ('pager', 'x', 5)`)
  await inStore(world.store, 'update webhook set next_index = 6')
  await expect(inStore(world.store, 'update webhook set next_index = 5')).rejects.toThrow(/and never back/)
})

/** `done`, or why not. Runs in a transaction that is rolled back, with a row that was put into a state past all rules. */
async function attempt(put: string, statement: string): Promise<string> {
  const client = new pg.Client({ connectionString: world.store.url, options: '-c search_path=tidegate' })
  await client.connect()
  try {
    await client.query(
      `begin; set local session_replication_role = replica; ${put}; set local session_replication_role = origin`,
    )
    return await client.query(statement).then(
      ({ rowCount }) => (rowCount === 1 ? 'done' : `${rowCount} rows`),
      (error: Error) => error.message,
    )
  } finally {
    await client.end()
  }
}

/** What goes with a state, so that nothing but the transition is in question. */
const asGrant = (state: GrantState): string => {
  const over = state === 'ending' || state === 'ended'
  return `update access_grant set state = '${state}', unsure_attempts = 0,
    end_reason = ${over ? `'done'` : 'null'}, end_at = ${over ? 'activated_at' : 'null'},
    ended_at = ${state === 'ended' ? 'activated_at' : 'null'}, due_at = ${state === 'ended' ? 'null' : 'activated_at'}
    where id = '${grant}'`
}

test('a grant goes from state to state as the table in the code says, and in no other way', async () => {
  const pairs = grantStates
    .flatMap((from) => grantStates.map((to) => ({ from, to })))
    .filter(({ from, to }) => from !== to)
  for (const { from, to } of pairs) {
    const refusal = `a grant does not go from ${from} to ${to}`
    expect(await attempt(asGrant(from), asGrant(to)), `${from} to ${to}`).toBe(grantMayGo(from, to) ? 'done' : refusal)
  }
})

const asRequest = (status: RequestStatus): string => `update access_request set status = '${status}',
  settled_at = ${status === 'pending' ? 'null' : 'filed_at'}, grant_id = null where reason = 'Looking into order 7'`

test('a request goes from status to status as the table in the code says, and in no other way', async () => {
  const pairs = requestStatuses
    .flatMap((from) => requestStatuses.map((to) => ({ from, to })))
    .filter(({ from, to }) => from !== to)
  for (const { from, to } of pairs) {
    const refusal = `a request does not go from ${from} to ${to}`
    expect(await attempt(asRequest(from), asRequest(to)), `${from} to ${to}`).toBe(
      requestMayGo(from, to) ? 'done' : refusal,
    )
  }
})

test.each([
  ['made longer', `update access_grant set expires_at = expires_at + interval '1 second'`, /by an approved request/],
  [
    'made longer by the request that it came from',
    `update access_grant set extension = request, extended_at = activated_at, expires_at = expires_at + interval '1 second'`,
    /by an approved request/,
  ],
  ['given to another', `update access_grant set principal = 'user:bob'`, /never change/],
  ['moved to another role', `update access_grant set role = 'maintainer'`, /never change/],
  ['given an end before its beginning', `update access_grant set expires_at = activated_at`, /check constraint/],
  ['forgotten while it is live', 'update access_grant set due_at = null', /check constraint/],
])('a live grant is not %s', async (_how, statement, words) => {
  await expect(inStore(world.store, `${statement} where id = $1`, [grant])).rejects.toThrow(words)
})

test('a grant ends later by the approved request that asked for it, by no more than that, and never once it is over', async () => {
  const alice = world.as('alice')
  const { grant: own } = await opened(alice, { duration: '10m' })
  const { request } = await alice.extendGrant({ id: own.id, duration: '20m', reason: 'Not done' })
  const { request: refused } = await alice.extendGrant({ id: own.id, duration: '9h', reason: 'Not done' })
  const { grant: other } = await opened(alice, { duration: '10m' })
  const set = (id: string, request: string, minutes: number): Promise<unknown> =>
    inStore(
      world.store,
      `update access_grant set extension = $2, extended_at = activated_at,
         expires_at = activated_at + $3 * interval '1 minute' where id = $1`,
      [id, request, minutes],
    )
  await expect(set(other.id, request.id, 20)).rejects.toThrow(/by an approved request/)
  await expect(set(own.id, refused.id, 60)).rejects.toThrow(/by an approved request/)
  await expect(set(own.id, request.id, 21)).rejects.toThrow(/by an approved request/)
  await alice.endGrant({ id: own.id })
  await expect(set(own.id, request.id, 19)).rejects.toThrow(/is over does not get longer/)
})

test('there is no grant without a request that was approved, nor one that begins in use', async () => {
  const { id } = await world
    .as('alice')
    .createRequest({ role: 'orders-db/writer', duration: '1h', reason: 'Fix order 8' })
  const insert = `insert into access_grant (id, request, principal, resource, role, state, duration_ms, activate_by, due_at)
    select 'grt_forged', $1, 'user:alice', 'orders-db', 'writer', $2, 1, now(), now()`
  await expect(inStore(world.store, insert, [id, 'ready'])).rejects.toThrow(/needs an approved request/)
  await expect(inStore(world.store, insert, [id, 'active'])).rejects.toThrow(/does not begin as active/)
  await permitted(world.as('alice'))
  await expect(
    inStore(world.store, `update access_request set principal = 'user:bob' where id = $1`, [id]),
  ).rejects.toThrow(/never change/)
})
