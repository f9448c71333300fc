/** A real Tidegate on a database of its own, with a clock that the test owns. */

import { createHash, randomBytes } from 'node:crypto'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import type { Instant, Millis } from '@tidegate/core'
import type { RunningServer, ServerOptions, Settings } from '@tidegate/server'
import { createLogger, startServer } from '@tidegate/server'
import { onTestFinished } from 'vitest'
import { secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { createClock } from './clock.ts'
import { createTestDatabase } from './databases.ts'
import type { TestDatabase } from './databases.ts'
import type { Target } from './target.ts'
import { createTarget } from './target.ts'

export type World = {
  readonly server: RunningServer
  readonly clock: ReturnType<typeof createClock>
  readonly store: TestDatabase
  readonly target: Target
  readonly admin: Client
  readonly as: (id: string) => Client
  readonly tokenOf: (id: string) => string
  readonly settings: Settings
  readonly files: Files
  /** Another server on the same store, with the same key and clock; stopped with the world, if it is not before. */
  readonly startAnother: () => Promise<RunningServer>
  /** The client of a principal, at another server. */
  readonly at: (server: RunningServer, id: string) => Client
}

export type Files = { path: string; text: string }[]

export function makeToken(): { token: string; hash: string } {
  const token = `tdg_${randomBytes(32).toString('base64url')}`
  return { token, hash: `sha256:${createHash('sha256').update(token).digest('hex')}` }
}

/** Where something stands between the server and a cluster. */
type Address = { readonly host: string; readonly port: number }

export type WorldOptions = {
  readonly files?: (parts: Parts) => Files
  readonly background?: boolean
  /** What it listens on. Passkeys want a name. Absent: 127.0.0.1. */
  readonly host?: 'localhost'
  /** Whose word about where a request comes from it takes. Absent: nobody's. */
  readonly proxies?: readonly string[]
  /** Absent: the test's clock; `system`: the real one. */
  readonly time?: 'system'
  /** The server reaches its store here. Absent: where it is. */
  readonly storeAt?: Address
  /** The server and the holders of grants reach the target here. Absent: where it is. */
  readonly targetAt?: Address
  /** Beyond the target's own password. */
  readonly env?: Readonly<Record<string, string>>
  readonly logger?: ReturnType<typeof createLogger>
  /** How often the question is asked again for what is open. Absent: as by default, which no test waits for. */
  readonly reaskEvery?: Millis
  readonly sessionRules?: NonNullable<ServerOptions['sessionRules']>
  /** To the store, for everything that is not apart. Absent: eight. */
  readonly maxConnections?: number
}

/** Everything is let go of when the test, or the file's `beforeAll`, is over. */
export async function createWorld(options: WorldOptions = {}): Promise<World & { readonly stop: () => Promise<void> }> {
  const [store, made] = await Promise.all([createTestDatabase('store'), createTarget()])
  const target = { ...made, ...options.targetAt }
  // Targets have clocks of their own, and refuse a login whose end is behind them.
  const clock = createClock(Date.now())
  const url = secretUrlOf({ ...store.connection, ...options.storeAt })
  const listen = { host: options.host ?? '127.0.0.1', port: 0 }
  const settings = {
    ...settingsFor(url),
    listen,
    ...(options.proxies && { proxies: options.proxies }),
    ...(options.reaskEvery !== undefined && { reaskEvery: options.reaskEvery }),
    ...(options.maxConnections !== undefined && { maxConnections: options.maxConnections }),
  }
  const servers: RunningServer[] = []
  const start = async (): Promise<RunningServer> => {
    const server = await startServer({
      settings,
      env: { ORDERS_DB_ADMIN_PASSWORD: target.admin.password, ...options.env },
      logger: options.logger ?? createLogger('silent'),
      background: options.background ?? false,
      ...(options.sessionRules && { sessionRules: options.sessionRules }),
      ...(options.time !== 'system' && { runtime: { now: () => clock.now() as Instant, random: randomBytes } }),
    })
    servers.push(server)
    return server
  }
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()))
    await Promise.all([store.drop(), target.drop()])
  }
  const server = await start()
  const { tokenOf, hashOf } = createTokens()
  const at = ({ url }: RunningServer, id: string): Client => createClient({ url, token: tokenOf(id) })
  const admin = createClient({ url: server.url, token: server.firstToken ?? '' })
  const files = (options.files ?? defaultFiles)({ target, hashOf })
  await admin.applyConfig({ files })
  const as = (id: string): Client => at(server, id)
  return { server, clock, store, target, admin, as, tokenOf, settings, files, startAnother: start, at, stop }
}

/** Each id has one token, made when it is first named. */
function createTokens(): { tokenOf: (id: string) => string; hashOf: (id: string) => string } {
  const tokens = new Map<string, ReturnType<typeof makeToken>>()
  const of = (id: string): ReturnType<typeof makeToken> => {
    const token = tokens.get(id) ?? makeToken()
    tokens.set(id, token)
    return token
  }
  return { tokenOf: (id) => of(id).token, hashOf: (id) => of(id).hash }
}

export const settingsFor = (url: string): Settings => ({
  listen: { host: '127.0.0.1', port: 0 },
  store: { kind: 'url', url },
  key: { from: 'value', text: randomBytes(32).toString('base64') },
  secretsDir: '/nonexistent',
  logLevel: 'silent',
  sweepEvery: 300_000 as Settings['sweepEvery'],
  reaskEvery: 60_000 as Settings['reaskEvery'],
  maxConnections: 8,
})

export async function createWorldForTest(options: WorldOptions = {}): Promise<World> {
  const world = await createWorld(options)
  onTestFinished(() => world.stop())
  return world
}

export type Parts = { readonly target: Target; readonly hashOf: (id: string) => string }

export const defaultFiles = (parts: Parts): Files => [
  { path: 'people.yaml', text: peopleYaml(parts) },
  { path: 'orders-db.yaml', text: resourceYaml(parts.target) },
  { path: 'access.cedar', text: policies },
]

const expires = '2099-01-01T00:00:00Z'

export const peopleYaml = ({ hashOf }: Parts): string => `
settings: { administrators: tidegate-admins, auditors: security }
users:
  - { id: alice, manager: dora, tokens: [{ hash: '${hashOf('alice')}', expires: '${expires}' }] }
  - { id: bob, tokens: [{ hash: '${hashOf('bob')}', expires: '${expires}' }] }
  - { id: carol, tokens: [{ hash: '${hashOf('carol')}', expires: '${expires}' }] }
  - { id: dora, tokens: [{ hash: '${hashOf('dora')}', expires: '${expires}' }] }
  - { id: sam, tokens: [{ hash: '${hashOf('sam')}', expires: '${expires}' }] }
services:
  - { id: device-manager, signals: [device, ticket], tokens: [{ hash: '${hashOf('device-manager')}', expires: '${expires}' }] }
  - { id: ci, owner: carol, tokens: [{ hash: '${hashOf('ci')}', expires: '${expires}' }] }
groups:
  - { id: engineers, members: [alice, bob, carol, service:ci] }
  - { id: team-leads, members: [carol, dora] }
  - { id: orders-team, members: [dora, bob] }
  - { id: security, members: [sam] }
  - { id: tidegate-admins, members: [dora] }
`

export const resourceYaml = (target: Target): string => `
resources:
  - id: orders-db
    kind: postgres
    labels: { env: production, service: orders }
    owner: orders-team
    connection:
      host: ${target.host}
      port: ${target.port}
      databases: [${target.database}]
      user: ${target.admin.user}
      password: env:ORDERS_DB_ADMIN_PASSWORD
      tls: disable
      owner: ${target.owner}
      searchPath: [shop]
      rolePrefix: tg_${target.database.slice(-10)}_
    roles:
      - name: readonly
        risk: low
        privileges:
          - { schema: shop, tables: '*', privileges: [select] }
      - name: writer
        risk: elevated
        privileges:
          - { schema: shop, tables: '*', privileges: [select] }
          - { schema: shop, tables: [orders], privileges: [insert, update] }
      - name: maintainer
        risk: admin
        privileges:
          - { schema: shop, tables: '*', privileges: [select, insert, update, delete] }
`

export const policies = `
@id("engineers-read") @max_duration("8h")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"service=orders")
when { resource.risk == "low" };

@id("prod-writing-needs-a-lead") @approvers("team-leads") @max_duration("2h")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production")
when { resource.risk == "elevated" };

@id("prod-admin-needs-two-and-a-ticket") @stages("manager:1, owner:1") @max_duration("1h")
permit (principal in Group::"engineers", action == Action::"access", resource in Label::"env=production")
when { resource.risk == "admin" && context has ticket && context.ticket.open };

@id("not-from-devices-known-bad") @advice("Your device is reported as not compliant. Fix it, or use another.")
forbid (principal, action == Action::"access", resource in Label::"env=production")
when { context has device && !context.device.compliant };
`
