/** PgBouncer between holders and a target: what of a grant's end reaches those whose connections are pooled. */

import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { minutes } from '@tidegate/core'
import pg from 'pg'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { cancelPacket, readAll } from '../packages/gateway/src/postgres/testing/wire.ts'
import type { Credential, Session } from './support/access.ts'
import { logIn, loginsOn, onTarget, opened, outcomeOf } from './support/access.ts'
import type { Pooler } from './support/pgbouncer.ts'
import { startPgbouncerForTest } from './support/pgbouncer.ts'
import { hasProgram } from './support/programs.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

vi.setConfig({ testTimeout: 60_000 })

const hasPgbouncer = hasProgram('/usr/sbin/pgbouncer', 'apt-get install pgbouncer')

/** As the guide has it. */
const authQuery = /^auth_query = (.+)$/m.exec(readFileSync('docs/guides/postgres-target.md', 'utf8'))?.[1] ?? ''
const asDelivered = 'select usename, passwd from pg_shadow where usename = $1'

const through = (credential: Credential, { host, port }: Pooler): Credential => ({ ...credential, host, port })

const libpgOf = ({ host, port, user, secret, databases: [database] }: Credential): pg.ClientConfig => ({
  host,
  port,
  user,
  password: secret,
  ...(database !== undefined && { database }),
})

const sleepers = async ({ target }: World, user: string): Promise<number> =>
  (await onTarget(target, `select from pg_stat_activity where usename = $1 and query like '%pg_sleep%'`, [user])).length

/** As a driver does it: over a connection of its own, with what PgBouncer had told this one. */
async function cancel(client: pg.Client, { host, port }: Credential): Promise<void> {
  const socket = createConnection({ host, port })
  socket.on('error', () => undefined).write(cancelPacket(client))
  await readAll(socket)
}

const backends = async ({ target }: World, user: string): Promise<number> =>
  (await onTarget(target, 'select from pg_stat_activity where usename = $1', [user])).length

describe.skipIf(!hasPgbouncer).each(['session', 'transaction'] as const)('through PgBouncer in %s mode', (mode) => {
  let world: World
  let pooler: Pooler
  beforeEach(async () => {
    world = await createWorldForTest()
    pooler = await startPgbouncerForTest({ mode, authQuery })
  })

  const enter = async (): Promise<{ grant: string; credential: Credential; session: Session }> => {
    const { grant, credential } = await opened(world.as('alice'))
    const pooled = through(credential, pooler)
    const session = await logIn(pooled)
    return { grant: grant.id, credential: pooled, session }
  }

  test('a grant’s login is let in as itself, and reads what its role gives and no more', async () => {
    const { credential, session } = await enter()
    const { rows } = await session.query('select current_user as me, count(*)::int as orders from shop.orders')
    expect(rows).toMatchObject([{ me: credential.user, orders: expect.any(Number) }])
    expect(await outcomeOf(session.query('delete from shop.orders'))).toBe('42501')
  })

  test('a grant that is over lets nobody in, and nothing of it goes on at the target, pooled or not', async () => {
    const { grant, credential, session } = await enter()
    await session.query('select 1')
    expect(await backends(world, credential.user)).toBe(1)
    await world.as('alice').endGrant({ id: grant })
    await world.server.drain()
    expect(await world.as('alice').getGrant({ id: grant })).toMatchObject({ state: 'ended' })
    expect(await loginsOn(world.target)).toEqual([])
    expect(await backends(world, credential.user)).toBe(0)
    expect(await outcomeOf(session.query('select 1'))).not.toBe('done')
    expect(await outcomeOf(logIn(credential))).not.toBe('done')
  })

  test('who cancels cancels their own statement, and goes on', async () => {
    const { credential } = await enter()
    const client = new pg.Client({ ...libpgOf(credential) })
    onTestFinished(() => client.end())
    await client.connect()
    const sleeping = outcomeOf(client.query('select pg_sleep(60)'))
    await eventually(async () => expect(await sleepers(world, credential.user)).toBe(1))
    await cancel(client, credential)
    expect(await sleeping).toBe('57014')
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('the connection that PgBouncer keeps once its client has left does not outlive the grant', async () => {
    const { grant, credential } = await opened(world.as('alice'))
    const pooled = through(credential, pooler)
    const session = await logIn(pooled)
    await session.query('select 1')
    session.leave()
    await session.cut
    expect(await backends(world, credential.user)).toBe(1)
    await world.as('alice').endGrant({ id: grant.id })
    await world.server.drain()
    expect(await world.as('alice').getGrant({ id: grant.id })).toMatchObject({ state: 'ended' })
    expect(await backends(world, credential.user)).toBe(0)
  })

  test('a login whose end is past is refused while no Tidegate runs, though a connection of it is pooled', async () => {
    const { credential } = await enter()
    const past = new Date(Date.now() - minutes(1)).toISOString()
    await onTarget(world.target, `alter role "${credential.user}" valid until '${past}'`)
    expect(await outcomeOf(logIn(credential))).not.toBe('done')
  })

  test('with the query that PgBouncer comes with, such a login is let in: the guide says to write another', async () => {
    const careless = await startPgbouncerForTest({ mode, authQuery: asDelivered })
    const { credential } = await opened(world.as('alice'))
    const first = await logIn(through(credential, careless))
    await first.query('select 1')
    if (mode === 'session') first.leave()
    if (mode === 'session') await first.cut
    const past = new Date(Date.now() - minutes(1)).toISOString()
    await onTarget(world.target, `alter role "${credential.user}" valid until '${past}'`)
    const late = await logIn(through(credential, careless))
    expect((await late.query('select current_user as me')).rows).toEqual([{ me: credential.user }])
  })
})

describe.skipIf(!hasPgbouncer)('where a resource has PgBouncer’s address', () => {
  test.each([
    [
      'refuses what a session begins with',
      '',
      /said: unsupported startup parameter.*give the address of the server itself/,
    ],
    [
      'leaves out what a session begins with',
      'ignore_startup_parameters = options,statement_timeout,lock_timeout,idle_in_transaction_session_timeout',
      /such as a connection pooler; give the address of the server itself/,
    ],
  ])('and that %s, nothing is opened, and the reason is told', async (_, more, why) => {
    const pooler = await startPgbouncerForTest({ mode: 'session', authQuery, more })
    const world = await createWorldForTest({ targetAt: pooler })
    const { items } = await world.admin.listFindings({ kind: 'target-untended' })
    expect(items.map(({ message }) => message)).toEqual([expect.stringMatching(why)])
    expect(await outcomeOf(opened(world.as('alice')))).toBe('target-unavailable')
  })
})
