import { expect, onTestFinished, test } from 'vitest'
import { secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { Client } from 'pg'
import { withClient } from './clients.ts'
import { clusterOf, createTestDatabase } from './databases.ts'
import { createTarget } from './target.ts'

const rolesLike = (database: string) =>
  withClient(clusterOf('target'), async (client) => {
    const { rows } = await client.query('SELECT rolname FROM pg_roles WHERE rolname LIKE $1', [`${database}%`])
    return rows
  })

test('a test database is one of its own, on a server that syncs what it commits, and is gone when it is dropped', async () => {
  const [one, two] = await Promise.all([createTestDatabase('store'), createTestDatabase('store')])
  onTestFinished(() => two.drop())
  await withClient(one.connection, (client) => client.query('CREATE TABLE mine ()'))
  await withClient(two.connection, async (client) => {
    expect((await client.query(`SELECT to_regclass('mine') AS mine`)).rows).toEqual([{ mine: null }])
    expect((await client.query('SHOW fsync')).rows).toEqual([{ fsync: 'on' }])
    expect((await client.query('SHOW max_connections')).rows).toEqual([{ max_connections: '300' }])
  })
  await one.drop()
  await one.drop()
  await expect(withClient(one.connection, async () => {})).rejects.toMatchObject({ code: '3D000' })
})

test('the admin of a target can make roles, act as the owner, and nothing beyond', async () => {
  const target = await createTarget()
  onTestFinished(() => target.drop())
  await withClient({ ...target, ...target.admin }, async (client) => {
    const { rows } = await client.query(
      'SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1',
      [target.admin.user],
    )
    expect(rows).toEqual([
      { rolsuper: false, rolcreaterole: true, rolcreatedb: false, rolreplication: false, rolbypassrls: false },
    ])
    await client.query(`SET ROLE ${target.owner}`)
    expect((await client.query('SELECT count(*)::int AS orders FROM shop.orders')).rows).toEqual([{ orders: 300 }])
    expect((await client.query('SELECT shop.order_total_cents(1)::int > 0 AS sold')).rows).toEqual([{ sold: true }])
  })
})

test('dropping a target removes every role that came of it, and ends the sessions in it', async () => {
  const target = await createTarget()
  onTestFinished(() => target.drop())
  const made = `${target.database}_made`
  const session = new Client({ connectionString: secretUrlOf({ ...target, ...target.admin }) })
  const ended = new Promise((resolve) => session.on('error', resolve))
  await session.connect()
  await session.query(`CREATE ROLE ${made} CREATEROLE`)
  await session.query(`SET ROLE ${target.owner}`)
  await session.query(`GRANT USAGE ON SCHEMA shop TO ${made}`)
  await session.query('RESET ROLE')
  await session.query(`GRANT ${made} TO ${target.admin.user}`)
  await session.query(`SET ROLE ${made}`)
  await session.query(`CREATE ROLE "${made} Two" LOGIN`)
  expect(await rolesLike(target.database)).toHaveLength(4)
  await target.drop()
  await ended
  expect(await rolesLike(target.database)).toEqual([])
  await target.drop()
})
