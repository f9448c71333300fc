/** Gateways as the control plane sees them: an identity, calls, and what one reports. No session is led anywhere. */

import { createHmac, generateKeyPairSync, pbkdf2Sync, randomBytes, sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Client, Input, Output } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import { createLogger } from '@tidegate/server'
import { onTestFinished } from 'vitest'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import type { Database } from '../../packages/server/src/store/database.ts'
import { createDatabase, createPool } from '../../packages/server/src/store/database.ts'
import { edited } from './edit.ts'
import type { Files, World, WorldOptions } from './tidegate.ts'
import { createWorldForTest, defaultFiles } from './tidegate.ts'

export type News = Output<'syncGateway'>
export type Report = Input<'reportSessions'>['reports'][number]

export type GatewayKey = { readonly publicKey: string; readonly privateKey: KeyObject }

export function makeKey(): GatewayKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const { x } = publicKey.export({ format: 'jwk' })
  return { publicKey: Buffer.from(x ?? '', 'base64url').toString('base64'), privateKey }
}

export const address = { host: 'gateway.example', port: 6432, tls: 'verify-full' } as const

/** As the contract says it, written anew. */
const addressLines = 'gateway.example\n6432\nverify-full\n\n'

const signed = (key: GatewayKey, text: string): string =>
  sign(null, Buffer.from(text), key.privateKey).toString('base64')

export const enrolWith = (key: GatewayKey, token: string): Input<'enrolGateway'> => ({
  token,
  publicKey: key.publicKey,
  address,
  signature: signed(key, `tidegate gateway enrolment\n${token}\n${addressLines}`),
})

export const signInWith = (
  key: GatewayKey,
  { gateway, at }: { gateway: string; at: string },
): Input<'issueGatewayToken'> => ({
  gateway,
  at,
  address,
  signature: signed(key, `tidegate gateway sign-in\n${gateway}\n${at}\n${addressLines}`),
})

/** Whoever calls without a token of its own. */
export const stranger = (url: string): Client => createClient({ url, token: '' })

export type Gateway = {
  readonly id: string
  readonly key: GatewayKey
  /** Signs in anew, at this server. Absent: at the first. */
  readonly at: (url?: string) => Promise<Client>
  readonly client: Client
  readonly token: string
}

type Joining = { readonly id?: string; readonly resources?: string[] }

/** Invited, enrolled, signed in, and heard of. */
export async function joined(world: World, { id = 'gw-1', resources }: Joining = {}): Promise<Gateway> {
  const invited = await world.admin.createGateway({ id, ...(resources && { resources }) })
  const key = makeKey()
  const { url } = world.server
  await stranger(url).enrolGateway(enrolWith(key, invited.enrolmentToken))
  let later = world.clock.now()
  const tokenAt = async (server: string): Promise<string> => {
    const at = new Date((later = Math.max(later + 1, world.clock.now()))).toISOString()
    return (await stranger(server).issueGatewayToken(signInWith(key, { gateway: id, at }))).token
  }
  const signedIn = async (server: string = url): Promise<Client> =>
    createClient({ url: server, token: await tokenAt(server) })
  const token = await tokenAt(url)
  return { id, key, at: signedIn, client: createClient({ url, token }), token }
}

const ownership = '    owner: orders-team'

export const throughGateways = (files: Files): Files =>
  edited(files, 'orders-db.yaml', [ownership, `${ownership}\n    gateway: required`])

export const createGatewayWorld = (options: WorldOptions = {}): Promise<World> =>
  createWorldForTest({ ...options, files: (parts) => throughGateways((options.files ?? defaultFiles)(parts)) })

/** Whether the secret is what the verifier was made of (RFC 5802), without having made it. */
export function opensWith(verifier: string, secret: string): boolean {
  const [, rounds = '', salt = '', , server = ''] = /^SCRAM-SHA-256\$(\d+):(.+)\$(.+):(.+)$/.exec(verifier) ?? []
  const salted = pbkdf2Sync(secret, Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256')
  return createHmac('sha256', salted).update('Server Key').digest('base64') === server
}

/** Its store, as another process of Tidegate sees it. Let go of with the test. */
export function databaseOf({ store }: World, at?: Pick<Connection, 'host' | 'port'>): Database {
  const log = createLogger('silent')
  const url = secretUrlOf({ ...store.connection, ...at })
  const db = createDatabase(
    createPool({ url, maxConnections: 2, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000, log }),
  )
  onTestFinished(() => db.destroy())
  return db
}

let sessions = 0
/** As a gateway makes one. */
export const newSession = (): string => `ses_${String(++sessions).padStart(26, '0')}`

export const chain = (): string => randomBytes(32).toString('base64url')

export const reportsOf = (world: World, { session, grant }: { session: string; grant: string }) => {
  const at = (): string => new Date(world.clock.now()).toISOString()
  const client = { address: '203.0.113.9', port: 50_123, tls: true, application: 'psql' }
  return {
    opened: (more: object = {}): Report => ({
      what: 'opened',
      session,
      at: at(),
      grant,
      database: 'orders',
      client,
      ...more,
    }),
    recorded: (blocks: number, with_: string = chain()): Report => ({
      what: 'recorded',
      session,
      at: at(),
      head: { segment: 0, blocks, bytes: blocks * 100, events: blocks * 10, chain: with_ },
    }),
    ended: (more: object = {}): Report => ({
      what: 'ended',
      session,
      at: at(),
      reason: 'the client went away',
      statements: 7,
      refused: 1,
      used: { tables: { 'shop.orders': ['SELECT'] }, left: 0 },
      ...more,
    }),
  }
}
