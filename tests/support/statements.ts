/** A gateway that asks people about statements: server, gateway and target, all real, with rules that ask. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, Output } from '@tidegate/api'
import { type GatewayOptions, type RunningGateway, startGateway } from '@tidegate/gateway'
import type pg from 'pg'
import { expect, onTestFinished } from 'vitest'
import { sessionRules } from '../../packages/cli/src/gateway/session-rules.ts'
import { type Credential, opened } from './access.ts'
import { edited } from './edit.ts'
import { throughGateways } from './gateways.ts'
import { logIn, type Session } from './connected.ts'
import { entriesOf } from './story.ts'
import { createWorld, defaultFiles, type Files, type Parts, type World } from './tidegate.ts'
import { eventually } from './eventually.ts'

export type Statement = Output<'getStatement'>

export type Asking = {
  readonly world: World
  readonly gateway: RunningGateway
  readonly options: GatewayOptions
  readonly stop: () => Promise<void>
}

type Wishes = {
  /** Of the role `maintainer`, as it is written in the files. */
  readonly guard: string
  /** People who are not in the usual files. */
  readonly people?: (parts: Parts) => string
  readonly gateway?: Partial<GatewayOptions>
}

const maintainers = `
@id("anyone-maintains") @max_duration("8h")
permit (principal, action == Action::"access", resource in Label::"service=orders") when { resource.risk == "admin" };
`

const filesWith =
  ({ guard, people }: Wishes) =>
  (parts: Parts): Files => [
    ...edited(throughGateways(defaultFiles(parts)), 'orders-db.yaml', [
      '      - name: maintainer',
      `      - name: maintainer\n        guard: ${guard}`,
    ]),
    { path: 'maintainers.cedar', text: maintainers },
    ...(people ? [{ path: 'more.yaml', text: people(parts) }] : []),
  ]

export async function createAskingWorld(wishes: Wishes): Promise<Asking> {
  const world = await createWorld({
    background: true,
    time: 'system',
    sessionRules: await sessionRules(),
    files: filesWith(wishes),
  })
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-gateway-'))
  const { enrolmentToken } = await world.server.inviteGateway('gw-1')
  const listen = { host: '127.0.0.1', port: 0 }
  const options = { url: world.server.url, dir, enrolmentToken, listen, log: () => undefined, ...wishes.gateway }
  const gateway = await startGateway(options)
  const stop = async (): Promise<void> => {
    await gateway.stop()
    await closeSpare()
    await world.stop()
    await rm(dir, { recursive: true, force: true })
  }
  return { world, gateway, options, stop }
}

export async function createAskingWorldForTest(wishes: Wishes): Promise<Asking> {
  const asking = await createAskingWorld(wishes)
  onTestFinished(asking.stop)
  return asking
}

/** A connection that `fetch` opened ahead and has not used is no idle one to a server, which waits for it when it stops. */
export async function closeSpare(): Promise<void> {
  const place = Symbol.for('undici.globalDispatcher.1')
  const world = globalThis as unknown as Record<symbol, { destroy: () => Promise<void>; constructor: new () => never }>
  const used = world[place]!
  world[place] = new used.constructor()
  await used.destroy()
}

/** Maintains orders-db. */
export const maintaining = ({ world }: Asking, who: string, duration = '1h'): ReturnType<typeof opened> =>
  opened(world.as(who), { role: 'orders-db/maintainer', duration })

export type Connection = Session & {
  readonly query: (text: string, values?: readonly unknown[]) => Promise<pg.QueryResult<Record<string, unknown>>>
}

export async function connect(credential: Credential): Promise<Connection> {
  const session = await logIn(credential)
  return { ...session, query: (text, values) => session.client.query(text, values && [...values]) }
}

/** What waits for this person, once there is so much. */
export function awaiting(client: Client, count = 1): Promise<Statement[]> {
  return eventually(async () => {
    const { items } = await client.listStatements({ awaiting: 'me' })
    expect(items).toHaveLength(count)
    return items
  })
}

/** The one that waits for this person, with all that it says. */
export async function shown(client: Client): Promise<Statement> {
  const [item] = await awaiting(client)
  return client.getStatement({ id: item!.id })
}

/** Once it has come to this. */
export function reaching(client: Client, id: string, status: Statement['status']): Promise<Statement> {
  return eventually(async () => {
    const statement = await client.getStatement({ id })
    expect(statement.status).toBe(status)
    return statement
  })
}

export const statementEntries = async ({ world }: Asking, grant: string): Promise<string[]> =>
  (await entriesOf(world.admin, { grant })).map(({ type }) => type).filter((type) => type.startsWith('statement.'))
