/** A gateway in front of the run's target cluster, with one user and what a test wants of it. */

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { after, type GrantId, type Millis } from '@tidegate/core'
import { onTestFinished } from 'vitest'
import { withClient } from '../../../../../tests/support/clients.ts'
import { createTestDatabase, type TestDatabase } from '../../../../../tests/support/databases.ts'
import { createPostgresGateway, type PostgresGateway } from '../shell/gateway.ts'
import { systemClock } from '../shell/clock.ts'
import type { Admission, Foreseen, GatewayPorts, GatewaySettings, PostgresSession } from '../shell/ports.ts'
import { createMemoryRecorder, type MemoryRecorder } from './recorder.ts'

export const testGrant = 'grt_00000000000000000000000001' as GrantId
export const testUser = { user: 'alice', password: 'a-Token.of_the~grant', database: 'orders' } as const

export function verifierOf(password: string, iterations = 4096, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyed = (label: string): Buffer => createHmac('sha256', salted).update(label).digest()
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${keyed('Server Key').toString('base64')}`
}

export type TestGateway = {
  readonly gateway: PostgresGateway
  /** Past the gateway. */
  readonly database: TestDatabase
  readonly host: string
  readonly port: number
  /** For node-postgres and the like. */
  readonly connection: { host: string; port: number; user: string; password: string; database: string }
  readonly url: string
  /** Of each session, in the order in which they were admitted. */
  readonly recorders: readonly MemoryRecorder[]
  readonly recorder: () => MemoryRecorder
  readonly sessions: readonly PostgresSession[]
  readonly logged: readonly string[]
}

export type Wishes = {
  readonly admission?: Partial<Admission>
  readonly target?: Partial<Admission['target']>
  /** Where it differs from what the admission then says. Absent: nothing is foreseen. */
  readonly foreseen?: Partial<Foreseen>
  readonly settings?: Partial<GatewaySettings>
  readonly ports?: Partial<GatewayPorts>
}

const verifier = verifierOf(testUser.password)

export async function startGatewayForTest(wishes: Wishes = {}): Promise<TestGateway> {
  const database = await createTestDatabase('target')
  onTestFinished(() => database.drop())
  const recorders: MemoryRecorder[] = []
  const sessions: PostgresSession[] = []
  const logged: string[] = []
  const clock = wishes.ports?.clock ?? systemClock

  const lead = (): Pick<Admission, 'grant' | 'principal' | 'target' | 'deadline'> => {
    const { host, port, user, password, database: name } = database.connection
    return {
      grant: testGrant,
      principal: 'user:alice',
      target: { host, port, database: name, user, secret: password, tls: 'disable', ...wishes.target },
      deadline: after(clock.now(), 3_600_000 as Millis),
    }
  }
  const admit = (): Admission => {
    const recorder = createMemoryRecorder()
    recorders.push(recorder)
    return {
      outcome: 'admitted',
      session: `ses_${recorders.length}`,
      ...lead(),
      warnBeforeMs: 120_000,
      recorder,
      whenRecorderFails: 'end',
      ...wishes.admission,
    }
  }
  const gateway = await createPostgresGateway(
    {
      authority: {
        lookup: async ({ user, database: wanted }) =>
          user === testUser.user && wanted === testUser.database ? verifier : undefined,
        ...(wishes.foreseen && {
          foresee: () => ({
            ...lead(),
            target: Promise.resolve(lead().target),
            isFirst: false,
            over: new AbortController().signal,
            ...wishes.foreseen,
          }),
        }),
        admit: async () => admit(),
      },
      clock,
      random: (count) => randomBytes(count),
      opened: (session) => sessions.push(session),
      log: (event, facts) => logged.push(`${event} ${JSON.stringify(facts)}`),
      ...wishes.ports,
    },
    { host: '127.0.0.1', port: 0, plain: 'everybody', mockSecret: randomBytes(32), ...wishes.settings },
  )
  onTestFinished(() => gateway.stop())
  const { host, port } = gateway
  const { user, password } = testUser
  return {
    gateway,
    database,
    host,
    port,
    connection: { host, port, user, password, database: testUser.database },
    url: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${testUser.database}`,
    recorders,
    recorder: () => recorders.at(-1)!,
    sessions,
    logged,
  }
}

/** Resolves when so many of the world's sessions are asleep in the target. Looks past the gateway. */
export async function untilAsleep({ database }: TestGateway, count = 1): Promise<void> {
  await withClient(database.connection, async (client) => {
    const asleep = `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
    while ((await client.query(asleep)).rows[0].n < count) await new Promise((resolve) => setImmediate(resolve))
  })
}

/** Nobody of the gateway's is left in the target's database, nor comes back. */
export async function backendsGone({ database }: TestGateway): Promise<void> {
  await withClient(database.connection, async (client) => {
    const others = `select count(*)::int as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    while ((await client.query(others)).rows[0].n > 0) await new Promise((resolve) => setImmediate(resolve))
  })
}
