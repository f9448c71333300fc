/** What a gateway makes ready for someone who comes again, by what the control plane has told, and when it does not. */

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { backendOf, type Knock, knock, ring } from '../postgres/testing/wire.ts'
import { connectionTo, createWorldForTest, renewedVerifier, reported, type World } from './testing/world.ts'

const knocking = async ({ gateway, grant }: World): Promise<Knock> =>
  knock(await ring(gateway), connectionTo(gateway, grant))

/** Who is at the target for someone who knocks, by their process ids. */
const madeReady = ({ database }: World): Promise<readonly number[]> =>
  withClient(database.connection, async (client) => {
    const { rows } = await client.query<{ pid: number }>(
      "select pid from pg_stat_activity where datname = current_database() and application_name = 'knocking'",
    )
    return rows.map(({ pid }) => pid)
  })

async function untilMadeReady(world: World): Promise<number> {
  for (;;) {
    const [pid] = await madeReady(world)
    if (pid !== undefined) return pid
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function untilNothingIs(world: World): Promise<void> {
  while ((await madeReady(world)).length > 0) await new Promise((resolve) => setImmediate(resolve))
}

async function visit(world: World): Promise<void> {
  const client = await world.connect()
  await client.query('select 1')
  await client.end()
}

/** Until the gateway has taken all that it was told before. */
async function untilAskedAgain({ plane }: World): Promise<void> {
  await once(plane.happened, 'syncGateway')
}

test('whoever comes again finds their target ready, and no session is told before the proof', async () => {
  const world = await createWorldForTest()
  await visit(world)
  await reported(world.plane, 'ended')
  const again = await knocking(world)
  const early = await untilMadeReady(world)
  expect(world.plane.reports.filter(({ what }) => what === 'opened')).toHaveLength(1)
  expect(await again.prove()).toBe('R')
  expect(await backendOf(again)).toBe(early)
  again.line.socket.destroy()
  const [first] = world.plane.reports
  await reported(world.plane, 'ended', ({ session }) => session !== first?.session)
  expect(world.plane.reports.filter(({ what }) => what === 'opened')).toHaveLength(2)
  expect(world.plane.released).toHaveLength(1)
})

test('a revoke takes what was made ready, before anyone has proved anything', async () => {
  const world = await createWorldForTest()
  await visit(world)
  await visit(world)
  const again = await knocking(world)
  await untilMadeReady(world)
  world.plane.end(world.grant.grant, 'access was revoked by user:bob')
  await untilNothingIs(world)
  await again.prove()
  expect((await again.line.next()).buffer.toString()).toContain('access has ended')
  await knocking(world)
  expect(await madeReady(world)).toEqual([])
})

test.each<[string, Partial<World['grant']>]>([
  ['a new password', { verifier: renewedVerifier('another') }],
  ['other rules', { rules: 'r2' }],
  ['another database', { databases: ['another'] }],
])('%s takes what was made ready', async (_, change) => {
  const world = await createWorldForTest()
  await visit(world)
  await knocking(world)
  await untilMadeReady(world)
  world.plane.put({ ...world.grant, ...change })
  await untilNothingIs(world)
})

test('an end that is moved leaves it as it is', async () => {
  const world = await createWorldForTest()
  await visit(world)
  await knocking(world)
  const early = await untilMadeReady(world)
  const taken = untilAskedAgain(world)
  world.plane.put({ ...world.grant, expiresAt: new Date(Date.now() + 7_200_000).toISOString() })
  await taken
  expect(await madeReady(world)).toEqual([early])
})
