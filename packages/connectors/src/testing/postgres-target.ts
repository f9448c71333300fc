/** A PostgreSQL target with a connector to it, for the tests of this package. */

import { randomBytes } from 'node:crypto'
import { type GrantId, instant, makeId } from '@tidegate/core'
import pg from 'pg'
import { createTarget, type Target as Harness } from '../../../../tests/support/target.ts'
import type { Connector, Credential, Lease, RoleSpec, Target, TargetLimits } from '../contract.ts'
import { createFaults, type Faults } from '../faults.ts'
import { type OpenClient, openClientOf, type TargetClient } from '../postgres/client.ts'
import type { PostgresConfig } from '../postgres/config.ts'
import { createPostgresConnector } from '../postgres/connector.ts'
import { postgres } from '../postgres/kind.ts'
import type { Privileges } from '../postgres/privileges.ts'

export const roleOf = (
  name: string,
  privileges: unknown,
  risk: RoleSpec<Privileges>['risk'] = 'low',
): RoleSpec<Privileges> => ({
  name,
  risk,
  privileges: postgres.privileges.parse(privileges),
})

export const narrowAndWide: readonly RoleSpec<Privileges>[] = [
  roleOf('narrow', [{ schema: 'shop', tables: ['orders', 'order_items'], privileges: ['select'] }]),
  roleOf('wide', [{ schema: 'shop', tables: '*', privileges: ['select', 'insert', 'update', 'delete'] }], 'elevated'),
]

export type Wanted = {
  readonly roles?: readonly RoleSpec<Privileges>[]
  readonly config?: Readonly<Record<string, unknown>>
  readonly limits?: Partial<TargetLimits>
  readonly secret?: (reference: string) => Promise<string>
  /** Instead of one of its own. */
  readonly harness?: Harness
  readonly resource?: string
}

export type UnderTest = {
  readonly harness: Harness
  readonly config: PostgresConfig
  readonly connector: Connector
  readonly faults: Faults
  /** Every text that the connector has sent, with its values. */
  readonly sent: readonly string[]
  /** Asks as a superuser, in the target's database or another. */
  ask<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<R[]>
  in(database: string, text: string): Promise<void>
  loginAs(credential: Pick<Credential, 'user' | 'secret'>, database?: string): Promise<pg.Client>
  group(role: string): string
  cleanup(): Promise<void>
}

export const newGrant = (): GrantId => makeId('grant', instant(Date.now()), randomBytes(10))

export const newLease = (role: string): Lease => ({
  grant: newGrant(),
  role,
  expiresAt: instant(Date.now() + 3_600_000),
})

export async function openTarget(wanted: Wanted = {}): Promise<UnderTest> {
  const harness = wanted.harness ?? (await createTarget())
  const faults = createFaults()
  const sent: string[] = []
  const target = targetOf(harness, wanted)
  const superuser = new pg.Pool({ connectionString: harness.superuserUrl, max: 2 })
  superuser.on('error', () => undefined)
  const connector = createPostgresConnector(target, breakable(openClientOf(target), { faults, sent }))
  const { config } = target
  return {
    harness,
    config,
    connector,
    faults,
    sent,
    ask: async (text, values) => (await superuser.query(text, values === undefined ? undefined : [...values])).rows,
    in: (database, text) => askIn(harness, database, text),
    loginAs: ({ user, secret }, database = harness.database) => login({ harness, database }, { user, secret }),
    group: (role) => `${config.rolePrefix}${role}`,
    cleanup: async () => {
      await connector.end()
      await superuser.end()
      if (wanted.harness === undefined) await harness.drop()
    },
  }
}

export function targetOf(harness: Harness, wanted: Wanted): Target<PostgresConfig, Privileges> {
  const config = postgres.config.parse({
    host: harness.host,
    port: harness.port,
    databases: [harness.database],
    user: harness.admin.user,
    password: 'env:ADMIN_PASSWORD',
    tls: 'disable',
    owner: harness.owner,
    // Roles belong to the cluster, which all tests share.
    rolePrefix: `t${randomBytes(5).toString('hex')}_`,
    searchPath: ['shop'],
    ...wanted.config,
  })
  return {
    resource: wanted.resource ?? 'orders-db',
    config,
    roles: wanted.roles ?? narrowAndWide,
    secret: wanted.secret ?? (async () => harness.admin.password),
    random: (count) => randomBytes(count),
    limits: { connectTimeoutMs: 20_000, operationTimeoutMs: 60_000, maxConnections: 4, ...wanted.limits },
  }
}

const breakable =
  (open: OpenClient, { faults, sent }: { readonly faults: Faults; readonly sent: string[] }): OpenClient =>
  async (database, signal) => {
    const client = await open(database, signal)
    const query: TargetClient['query'] = (text, values) => {
      sent.push(JSON.stringify([text, values]))
      return faults.send(
        () => client.query(text, values),
        () => client.destroy(),
      )
    }
    return { ...client, query }
  }

async function login(
  { harness, database }: { readonly harness: Harness; readonly database: string },
  { user, secret }: Pick<Credential, 'user' | 'secret'>,
): Promise<pg.Client> {
  const client = new pg.Client({ host: harness.host, port: harness.port, database, user, password: secret })
  // A session that is ended from outside is what is being tested.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function askIn(harness: Harness, database: string, text: string): Promise<void> {
  const { username, password } = new URL(harness.superuserUrl)
  const { host, port } = harness
  const client = new pg.Client({ host, port, database, user: username, password: decodeURIComponent(password) })
  await client.connect()
  try {
    await client.query(text)
  } finally {
    await client.end()
  }
}
