import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Client } from 'pg'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { withClient } from './clients.ts'
import { clusterOf, uniqueName } from './databases.ts'

/** A customer's database, with the login that a customer would give Tidegate. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly database: string
  /** The role, without login, that owns the database and everything in it. */
  readonly owner: string
  /** LOGIN CREATEROLE, not a superuser, member of the owner. */
  readonly admin: { readonly user: string; readonly password: string }
  readonly superuserUrl: string
  /** Removes the database, its roles, and every role that the admin or a role made by it has made. */
  drop(): Promise<void>
}

/** Makes a database `orders_…` on the target cluster, with the shop of `shop.sql` in it. */
export async function createTarget(): Promise<Target> {
  const cluster = clusterOf('target')
  const database = uniqueName('orders')
  const owner = `${database}_owner`
  const admin = { user: `${database}_admin`, password: randomBytes(24).toString('hex') }
  await withClient(cluster, async (client) => {
    await client.query(`CREATE ROLE ${owner} NOLOGIN`)
    await client.query(`CREATE ROLE ${admin.user} LOGIN CREATEROLE NOSUPERUSER PASSWORD '${admin.password}'`)
    await client.query(`GRANT ${owner} TO ${admin.user}`)
    await client.query(`CREATE DATABASE ${database} OWNER ${owner}`)
  })
  const connection = { ...cluster, database }
  await openShop(connection, owner)
  return {
    host: cluster.host,
    port: cluster.port,
    database,
    owner,
    admin,
    superuserUrl: secretUrlOf(connection),
    drop: () => withClient(cluster, (client) => dropTarget(client, { database, owner, admin: admin.user })),
  }
}

async function openShop(connection: Connection, owner: string): Promise<void> {
  const shop = await readFile(new URL('shop.sql', import.meta.url), 'utf8')
  await withClient(connection, async (client) => {
    await client.query(`SET ROLE ${owner}`)
    await client.query(shop)
  })
}

async function dropTarget(client: Client, names: { database: string; owner: string; admin: string }): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS ${names.database} WITH (FORCE)`)
  const roles = await rolesOf(client, names)
  if (roles.length === 0) return
  const list = roles.map((role) => client.escapeIdentifier(role)).join(', ')
  // What they own and may do outside the database, which is the only thing that can still keep them.
  await client.query(`DROP OWNED BY ${list}`)
  await client.query(`DROP ROLE ${list}`)
}

/**
 * The owner, the admin, and what the admin made. PostgreSQL keeps no record of who made a role, but it makes the maker
 * its administrator, in a grant by the bootstrap superuser (whose oid is 10) that no one else can make.
 */
async function rolesOf(client: Client, { owner, admin }: { owner: string; admin: string }): Promise<readonly string[]> {
  const { rows } = await client.query<{ rolname: string }>(
    `WITH RECURSIVE made AS (
       SELECT oid FROM pg_roles WHERE rolname = $1
       UNION
       SELECT m.roleid FROM pg_auth_members m JOIN made ON made.oid = m.member WHERE m.admin_option AND m.grantor = 10
     )
     SELECT rolname FROM made JOIN pg_roles USING (oid)
     UNION
     SELECT rolname FROM pg_roles WHERE rolname = $2`,
    [admin, owner],
  )
  return rows.map(({ rolname }) => rolname)
}
