/** A real Tidegate on a database of its own, with a clock that the test owns. */

import { createHash, randomBytes } from 'node:crypto'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import type { RunningServer, Settings } from '@tidegate/server'
import { createLogger, startServer } from '@tidegate/server'
import { onTestFinished } from 'vitest'
import { createClock } from './clock.ts'
import { createTestDatabase } from './databases.ts'
import type { Target } from './target.ts'
import { createTarget } from './target.ts'

export type Person = { readonly client: Client; readonly token: string }

export type World = {
  readonly server: RunningServer
  readonly clock: ReturnType<typeof createClock>
  readonly target: Target
  readonly admin: Client
  readonly as: (id: string) => Client
  readonly tokenOf: (id: string) => string
  readonly settings: Settings
  readonly files: Files
}

export type Files = { path: string; text: string }[]

export const people = ['alice', 'bob', 'carol', 'dora', 'sam'] as const

export function makeToken(): { token: string; hash: string } {
  const token = `tdg_${randomBytes(32).toString('base64url')}`
  return { token, hash: `sha256:${createHash('sha256').update(token).digest('hex')}` }
}

type Options = {
  readonly files?: (parts: { target: Target; hashOf: (id: string) => string }) => Files
  readonly background?: boolean
  /** Absent: the test's clock; `system`: the real one. */
  readonly time?: 'system'
}

/** Everything is let go of when the test, or the file's `beforeAll`, is over. */
export async function createWorld(options: Options = {}): Promise<World & { readonly stop: () => Promise<void> }> {
  const [store, target] = await Promise.all([createTestDatabase('store'), createTarget()])
  // Targets have clocks of their own, and refuse a login whose end is behind them.
  const clock = createClock(Date.now())
  const settings: Settings = {
    listen: { host: '127.0.0.1', port: 0 },
    store: { kind: 'url', url: store.url },
    key: { from: 'value', text: randomBytes(32).toString('base64') },
    secretsDir: '/nonexistent',
    logLevel: 'silent',
    sweepEvery: 300_000 as Settings['sweepEvery'],
    reaskEvery: 60_000 as Settings['reaskEvery'],
    maxConnections: 8,
  }
  const server = await startServer({
    settings,
    env: { ORDERS_DB_ADMIN_PASSWORD: target.admin.password },
    logger: createLogger('silent'),
    background: options.background ?? false,
    ...(options.time !== 'system' && { runtime: { now: () => clock.now() as Instant, random: randomBytes } }),
  })
  const tokens = new Map([...people, 'device-manager', 'ci'].map((id) => [id, makeToken()]))
  const tokenOf = (id: string): string => tokens.get(id)?.token ?? ''
  const hashOf = (id: string): string => tokens.get(id)?.hash ?? ''
  const clientOf = (token: string): Client => createClient({ url: server.url, token })
  const admin = clientOf(server.firstToken ?? '')
  const files = (options.files ?? defaultFiles)({ target, hashOf })
  await admin.applyConfig({ files })
  const stop = async (): Promise<void> => {
    await server.stop()
    await Promise.all([store.drop(), target.drop()])
  }
  return { server, clock, target, admin, as: (id) => clientOf(tokenOf(id)), tokenOf, settings, files, stop }
}

export async function createWorldForTest(options: Options = {}): Promise<World> {
  const world = await createWorld(options)
  onTestFinished(() => world.stop())
  return world
}

type Parts = { target: Target; hashOf: (id: string) => string }

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
