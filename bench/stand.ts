/** What most benchmarks run against: the shop of the examples, a store and a server, all real and durable. */

import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import type { EmbeddedPostgres } from '@tidegate/server'
import { startEmbeddedPostgres } from '@tidegate/server'
import pg from 'pg'
import { secretUrlOf } from '../packages/server/src/embedded/connection.ts'
import type { BenchOptions } from './harness.ts'
import { numbers } from './harness.ts'
import type { ServerProcess } from './server-process.ts'
import { startServerProcess } from './server-process.ts'

export type Stand = {
  readonly server: ServerProcess
  readonly store: Store
  readonly target: EmbeddedPostgres
  /** Engineers, who read by themselves. */
  readonly people: readonly Client[]
  readonly alice: Client
  /** What she shows. */
  readonly aliceToken: string
  /** An administrator, who may revoke. */
  readonly administrator: Client
  /** As the admin login of the target that Tidegate uses. */
  readonly targetAdmin: pg.Client
  /** As the superuser of the target: a new connection, closed with the stand. */
  readonly connectTarget: () => Promise<pg.Client>
  /** For whatever else the benchmark puts on disk; goes with the stand. */
  readonly folder: string
  readonly close: () => Promise<void>
}

export type Store = {
  readonly postgres: EmbeddedPostgres
  readonly secretUrl: string
  /** A database beside Tidegate's, in the same cluster. */
  readonly make: (database: string) => Promise<string>
  /** A connection to Tidegate's own tables; closed with the store. */
  readonly client: pg.Client
  readonly close: () => Promise<void>
}

/** Work by the clock would fall on one side of a comparison or the other: it waits until the benchmark is over. */
export const quietSettings = { TIDEGATE_SWEEP_EVERY: '1h', TIDEGATE_REASK_EVERY: '1h' } as const

/** @param edit of the resource, as the examples have it */
export async function setUp(
  { report, profileDir }: BenchOptions,
  settings: Readonly<Record<string, string>> = quietSettings,
  edit: (resource: string) => string = (resource) => resource,
): Promise<Stand> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-'))
  await chmod(folder, 0o711)
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).toReversed()) await one()
  }
  try {
    const [store, target] = await Promise.all([startStore(folder, report), startTarget(folder)])
    closing.push(target.stop, store.close)
    const secret = randomBytes(24).toString('base64url')
    await loadShop(target, secret)
    const env = { ...serverEnv(store), ...settings, ORDERS_DB_ADMIN_PASSWORD: secret }
    const server = await startServerProcess(env, profileDir)
    closing.push(server.stop)
    const tokens = await configure(server, (resource) => edit(resource.replace('port: 5433', `port: ${target.port}`)))
    const connect = async (config: pg.ClientConfig): Promise<pg.Client> => {
      const client = new pg.Client(config)
      await client.connect()
      closing.push(() => client.end())
      return client
    }
    const clients = tokens.people.map((token) => createClient({ url: server.url, token }))
    return {
      server,
      store,
      target,
      people: clients,
      alice: clients[0] as Client,
      aliceToken: tokens.people[0] ?? '',
      administrator: createClient({ url: server.url, token: tokens.administrator }),
      targetAdmin: await connect({
        ...target.connection,
        database: 'orders',
        user: 'tidegate_admin',
        password: secret,
      }),
      connectTarget: () => connect({ ...target.connection, database: 'orders' }),
      folder,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

export const serverEnv = ({ secretUrl }: Pick<Store, 'secretUrl'>): Record<string, string> => ({
  DATABASE_URL: secretUrl,
  TIDEGATE_KEY: Buffer.alloc(32, 7).toString('base64'),
})

export async function startStore(
  folder: string,
  report: BenchOptions['report'],
  settings: Readonly<Record<string, string>> = {},
): Promise<Store> {
  const dataDir = join(folder, 'store')
  await mkdir(dataDir)
  const postgres = await startEmbeddedPostgres({
    dataDir,
    durable: true,
    settings: { max_connections: '200', ...settings },
  })
  const admin = new pg.Client({ connectionString: postgres.secretAdminUrl })
  await admin.connect()
  const make = async (database: string): Promise<string> => {
    await admin.query(`create database ${database}`)
    return secretUrlOf({ ...postgres.connection, database })
  }
  const secretUrl = await make('tidegate')
  report(await factsOf(admin))
  const client = new pg.Client({ connectionString: secretUrl, options: '-c search_path=tidegate' })
  await client.connect()
  return {
    postgres,
    secretUrl,
    make,
    client,
    async close() {
      await client.end()
      await admin.end()
      await postgres.stop()
    },
  }
}

async function factsOf(admin: pg.Client): Promise<Record<string, string>> {
  const { rows } = await admin.query<Record<string, string>>(`
    select current_setting('server_version') as version, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commit, current_setting('wal_sync_method') as method`)
  const [row = {}] = rows
  const { version, fsync, commit, method } = row
  return { PostgreSQL: `${version}, fsync ${fsync} (${method}), synchronous_commit ${commit}` }
}

async function startTarget(folder: string): Promise<EmbeddedPostgres> {
  const dataDir = join(folder, 'target')
  await mkdir(dataDir)
  return startEmbeddedPostgres({ dataDir, durable: true, settings: { max_connections: '700' } })
}

const example = (name: string): Promise<string> =>
  readFile(new URL(`../examples/orders/${name}`, import.meta.url), 'utf8')

const peopleCount = 10

/** Ten engineers, and an administrator who owns the database: what she revokes takes no power over everything; whoever is an engineer reads by themselves. */
async function configure(
  server: ServerProcess,
  edit: (resource: string) => string,
): Promise<{ people: readonly string[]; administrator: string }> {
  const people = numbers(peopleCount).map(makeToken)
  const administrator = makeToken()
  await createClient({ url: server.url, token: server.firstToken ?? '' }).applyConfig({
    files: [
      { path: 'people.yaml', text: peopleText(people, administrator) },
      { path: 'orders-db.yaml', text: edit(await example('orders-db.yaml')) },
      { path: 'access.cedar', text: await example('access.cedar') },
    ],
  })
  return { people, administrator }
}

const makeToken = (): string => `tdg_${randomBytes(32).toString('base64url')}`
const hashOf = (token: string): string => `sha256:${createHash('sha256').update(token).digest('hex')}`

function peopleText(people: readonly string[], administrator: string): string {
  const expires = new Date(Date.now() + 86_400_000).toISOString()
  const user = (id: string, token: string): string =>
    `  - { id: ${id}, email: ${id}@example.com, tokens: [{ hash: '${hashOf(token)}', expires: '${expires}' }] }`
  const names = people.map((_, i) => `engineer-${i}`)
  return `
settings: { administrators: tidegate-admins }
users:
${names.map((name, i) => user(name, people[i] ?? '')).join('\n')}
${user('dora', administrator)}
groups:
  - { id: engineers, members: [${names.join(', ')}] }
  - { id: team-leads, members: [dora] }
  - { id: orders-team, members: [dora] }
  - { id: tidegate-admins, members: [dora] }
`
}

async function loadShop(target: EmbeddedPostgres, password: string): Promise<void> {
  const admin = new pg.Client({ connectionString: target.secretAdminUrl })
  await admin.connect()
  await admin.query('create database orders')
  await admin.end()
  const client = new pg.Client({ ...target.connection, database: 'orders' })
  await client.connect()
  await client.query(await example('shop.sql'))
  await client.query(`alter role tidegate_admin password ${client.escapeLiteral(password)}`)
  await client.end()
}
