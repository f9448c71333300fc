/** A gateway that is connected to a test's control plane, with a grant on a real PostgreSQL. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { onTestFinished } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../../tests/support/databases.ts'
import { verifierOf } from '../../postgres/testing/gateway.ts'
import type { GrantFacts, Release, SessionReport } from '../contract.ts'
import { startGateway } from '../gateway.ts'
import type { RunningGateway } from '../one-process.ts'
import type { GatewayOptions } from '../settings.ts'
import { startPlaneForTest, type TestPlane } from './plane.ts'

export type World = {
  readonly plane: TestPlane
  readonly gateway: RunningGateway
  readonly dir: string
  readonly database: TestDatabase
  readonly logged: readonly string[]
  readonly options: GatewayOptions
  readonly grant: GrantFacts
  readonly password: string
  /** Another process on the same folder, as it were. */
  readonly startAgain: (wishes?: Partial<GatewayOptions>) => Promise<RunningGateway>
  readonly connect: (to?: Partial<Connection>) => Promise<TestClient>
}

type Connection = {
  host: string
  port: number
  user: string
  password: string
  database: string
  ssl?: { ca: string }
}

export type TestClient = Client & {
  /** Why it was ended, as it was told. */
  readonly ended: Promise<string>
  readonly notices: readonly string[]
}

export async function folderForTest(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-gateway-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

const password = 'a-Token.of_the~grant'

export async function createWorldForTest(wishes: Partial<GatewayOptions> = {}): Promise<World> {
  const database = await createTestDatabase('target')
  onTestFinished(() => database.drop())
  const plane = await startPlaneForTest()
  const grant = grantFor(database)
  plane.grants.set(grant.grant, grant)
  plane.releases.set(grant.grant, releaseOf(database))
  const logged: string[] = []
  const options: GatewayOptions = {
    url: plane.url,
    dir: wishes.dir ?? (await folderForTest()),
    enrolmentToken: plane.enrolmentToken,
    listen: { host: '127.0.0.1', port: 0 },
    log: (event, facts) => logged.push(`${event} ${JSON.stringify(facts)}`),
    ...wishes,
  }
  const startAgain = async (more: Partial<GatewayOptions> = {}): Promise<RunningGateway> => {
    const { enrolmentToken: _, ...rest } = options
    return started({ ...rest, ...more })
  }
  const gateway = await started(options)
  const connect: World['connect'] = (to = {}) => connectTo({ ...connectionTo(gateway, grant), ...to })
  return {
    plane,
    gateway,
    dir: options.dir,
    database,
    logged,
    options,
    grant,
    password,
    startAgain,
    connect,
  }
}

async function started(options: GatewayOptions): Promise<RunningGateway> {
  const gateway = await startGateway(options)
  onTestFinished(() => gateway.stop())
  return gateway
}

export const connectionTo = (gateway: RunningGateway, { grant, databases }: GrantFacts): Connection => ({
  host: gateway.host,
  port: gateway.port,
  user: grant,
  password,
  database: databases[0]!,
})

const salt = randomBytes(16)

/** Of any password, with the salt that the grant has. */
export const renewedVerifier = (secret: string): string => verifierOf(secret, 4096, salt)

export const grantFor = (database: TestDatabase): GrantFacts => ({
  grant: 'grt_01k00000000000000000000001',
  resource: 'orders-db',
  role: 'readonly',
  principal: 'user:alice',
  databases: [database.connection.database],
  verifier: renewedVerifier(password),
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  warnBeforeSeconds: 120,
  rules: 'r1',
})

export function releaseOf({ connection }: TestDatabase): Release {
  const { host, port, user, password: secret } = connection
  const recording = { text: 'keep', parameters: 'keep', rows: 'none', whenItFails: 'end' } as const
  return { host, port, user, secret, tls: 'disable', guards: [], masks: [], recording, rules: 'r1' }
}

export async function connectTo(connection: Connection): Promise<TestClient> {
  const client = new Client(connection)
  const notices: string[] = []
  client.on('notice', ({ message }) => notices.push(message ?? ''))
  const ended = new Promise<string>((resolve) => {
    client.on('error', ({ message }) => resolve(message))
  })
  await client.connect()
  onTestFinished(() => client.end().catch(() => undefined))
  return Object.assign(client, { ended, notices })
}

/** The next report of this kind, or one that has come. */
export async function reported<W extends SessionReport['what']>(
  plane: TestPlane,
  what: W,
  fits: (report: Extract<SessionReport, { what: W }>) => boolean = () => true,
): Promise<Extract<SessionReport, { what: W }>> {
  const isIt = (report: SessionReport): report is Extract<SessionReport, { what: W }> =>
    report.what === what && fits(report as never)
  for (;;) {
    const found = plane.reports.find(isIt)
    if (found !== undefined) return found
    await once(plane.happened, 'report')
  }
}
