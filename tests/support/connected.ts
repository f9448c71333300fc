/** Servers, gateways and a target, all real, and clients of theirs. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@tidegate/api'
import { type GatewayOptions, type RunningGateway, startGateway } from '@tidegate/gateway'
import pg from 'pg'
import { expect, onTestFinished } from 'vitest'
import type { Credential } from './access.ts'
import { createGatewayWorld, throughGateways } from './gateways.ts'
import type { World, WorldOptions } from './tidegate.ts'
import { createWorld, defaultFiles } from './tidegate.ts'
import { eventually } from './eventually.ts'

export type Connected = { readonly world: World; readonly gateway: RunningGateway; readonly options: GatewayOptions }

export async function connectedWorld(
  wishes: Partial<GatewayOptions> = {},
  options: WorldOptions = {},
): Promise<Connected> {
  const world = await createGatewayWorld({ background: true, time: 'system', ...options })
  onTestFinished(closeSpare)
  const joined = await joinedGateway(world, { id: 'gw-1', url: world.server.url, ...wishes })
  return { world, ...joined }
}

/** For a whole file, with access that needs nobody: whoever makes it stops it. */
export async function createConnected(wishes: Partial<GatewayOptions> = {}): Promise<Connected & Stoppable> {
  const files: WorldOptions['files'] = (parts) => throughGateways(defaultFiles(parts))
  const world = await createWorld({ background: true, time: 'system', files })
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-gateway-'))
  const { enrolmentToken } = await world.server.inviteGateway('gw-1')
  const listen = { host: '127.0.0.1', port: 0 }
  const options = { url: world.server.url, dir, enrolmentToken, listen, log: () => undefined, ...wishes }
  const gateway = await startGateway(options)
  const stop = async (): Promise<void> => {
    await gateway.stop()
    await rm(dir, { recursive: true, force: true })
    await closeSpare()
    await world.stop()
  }
  return { world, gateway, options, stop }
}

type Stoppable = { readonly stop: () => Promise<void> }

type Joining = Partial<GatewayOptions> & { readonly id: string; readonly url: string }

/** Invited, and running, with the server at that address for its control plane. */
export async function joinedGateway({ server }: World, { id, ...wishes }: Joining): Promise<Omit<Connected, 'world'>> {
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-gateway-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const { enrolmentToken } = await server.inviteGateway(id)
  const options = { dir, enrolmentToken, listen: { host: '127.0.0.1', port: 0 }, log: () => undefined, ...wishes }
  return { gateway: await started(options), options }
}

/** A connection that `fetch` opened ahead and has not used is no idle one to a server, which waits for it when it stops. */
async function closeSpare(): Promise<void> {
  const place = Symbol.for('undici.globalDispatcher.1')
  const world = globalThis as unknown as Record<symbol, { destroy: () => Promise<void>; constructor: new () => never }>
  const used = world[place]!
  world[place] = new used.constructor()
  await used.destroy()
}

export async function started(options: GatewayOptions): Promise<RunningGateway> {
  const gateway = await startGateway(options)
  onTestFinished(() => gateway.stop())
  return gateway
}

export type Session = { readonly client: pg.Client; readonly ended: Promise<string>; readonly notices: string[] }

/** @param port of a gateway that it was not led to. Absent: the one that it was */
export async function logIn(credential: Credential, port = credential.port): Promise<Session> {
  const { host, databases, user, secret } = credential
  const client = new pg.Client({ host, port, database: databases[0], user, password: secret })
  const notices: string[] = []
  client.on('notice', ({ message }) => notices.push(message ?? ''))
  const ended = new Promise<string>((resolve) => client.on('error', ({ message }) => resolve(message)))
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return { client, ended, notices }
}

/** Those that the server knows, once it knows so many. */
export async function sessionsOf(client: Client, count: number, open: 'true' | 'false' = 'true') {
  return eventually(async () => {
    const { items } = await client.listSessions({ open })
    expect(items).toHaveLength(count)
    return items
  })
}

/** Resolves when so many sleep in the target. Looks past the gateway. */
export async function untilAsleep({ target }: Pick<World, 'target'>, count = 1): Promise<void> {
  const client = new pg.Client(target.superuserUrl)
  await client.connect()
  const asleep = `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
  while ((await client.query(asleep)).rows[0].n < count) await new Promise((resolve) => setImmediate(resolve))
  await client.end()
}
