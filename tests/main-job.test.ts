/** The main job through the public API, on a real target. */

import pg from 'pg'
import { expect, test } from 'vitest'
import type { Output } from '@tidegate/api'
import { createWorldForTest } from './support/tidegate.ts'

type Credential = Output<'activateGrant'>['credential']

const connect = async (credential: Credential): Promise<pg.Client> => {
  const client = new pg.Client({
    host: credential.host,
    port: credential.port,
    database: credential.databases[0],
    user: credential.user,
    password: credential.secret,
  })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

test('a permitted request opens, is used, expires in the middle of a session, and leaves nothing', async () => {
  const { as, clock, server, target } = await createWorldForTest()
  const alice = as('alice')
  const request = await alice.createRequest({
    role: 'orders-db/readonly',
    duration: '15m',
    reason: 'Looking into order 7',
  })
  expect(request.status).toBe('approved')
  const { grant, credential } = await alice.activateGrant({ id: request.grant as string })
  expect(grant.state).toBe('active')
  const session = await connect(credential)
  const { rows } = await session.query('select count(*)::int as n from shop.orders')
  expect(rows[0].n).toBeGreaterThan(0)
  await expect(session.query('delete from shop.orders')).rejects.toThrow(/permission denied/)

  const cut = new Promise((resolve) => session.once('end', resolve))
  clock.advance(15 * 60_000 - 1)
  await server.drain()
  expect((await alice.getGrant({ id: grant.id })).state).toBe('active')
  clock.advance(1)
  await server.drain()
  await cut
  const after = await alice.getGrant({ id: grant.id })
  expect(after).toMatchObject({ state: 'ended', end: { reason: 'expired' } })
  const superuser = new pg.Client(target.superuserUrl)
  await superuser.connect()
  expect((await superuser.query('select from pg_roles where rolname = $1', [credential.user])).rowCount).toBe(0)
  await superuser.end()
})
