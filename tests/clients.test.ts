/** Clients of other makers through a connected gateway, over TLS and without it: what they do, and how they are sent away. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { instant } from '@tidegate/core'
import { recordingFolder, verifyRecording } from '@tidegate/gateway'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Certificates, makeCertificates } from '../packages/gateway/src/postgres/testing/certificates.ts'
import { createTestClock } from '../packages/gateway/src/postgres/testing/clock.ts'
import { run } from '../packages/gateway/src/postgres/testing/psql.ts'
import { findInstallation } from '../packages/server/src/embedded/binaries.ts'
import { freePort } from '../packages/server/src/embedded/port.ts'
import { answers, type Client, type Cues, type Errand, type Told, type Way } from './clients/errands.ts'
import { nodePostgres } from './clients/node-postgres.ts'
import { postgresJs } from './clients/postgres-js.ts'
import { environmentOf, programClient } from './clients/program.ts'
import { type Grant, opened } from './support/access.ts'
import { type Connected, connectedWorld, createConnected, untilAsleep } from './support/connected.ts'
import { hasFiles, hasProgram } from './support/programs.ts'
import { scratchFolder } from './support/folders.ts'
import type { World } from './support/tidegate.ts'
import { eventually } from './support/eventually.ts'

// Some of these start a language of their own.
vi.setConfig({ testTimeout: 90_000 })

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')
const hasPgbench = hasProgram('pgbench', 'apt-get install postgresql-15')
const python = '/usr/bin/python3'
const psycopgAt = '/usr/lib/python3/dist-packages/psycopg'
const hasPsycopg = hasFiles('psycopg', 'apt-get install python3-psycopg', python, psycopgAt)
const jdbcAt = '/usr/share/java/postgresql.jar'
const hasJava = hasProgram('javac', 'apt-get install default-jdk-headless')
const hasJdbc = hasFiles('JDBC', 'apt-get install libpostgresql-jdbc-java', jdbcAt) && hasJava

const here = (name: string): string => fileURLToPath(new URL(`clients/${name}`, import.meta.url))
const psycopg = (env: NodeJS.ProcessEnv = {}): Client => programClient(python, [here('errands.py')], env)
const jdbc = programClient('java', ['-cp', jdbcAt, here('Errands.java')])

type Row = {
  readonly client: Client
  readonly isHere: boolean
  /** Errands that it has no means for. */
  readonly lacks?: readonly Errand[]
  /** It keeps what a server says as it ends a session to itself. */
  readonly isMute?: true
}

const clients: Readonly<Record<string, Row>> = {
  'node-postgres': { client: nodePostgres, isHere: true, lacks: ['binary', 'copy'] },
  'postgres.js': { client: postgresJs, isHere: true, lacks: ['binary'], isMute: true },
  psycopg: { client: psycopg(), isHere: hasPsycopg },
  JDBC: { client: jdbc, isHere: hasJdbc },
}
const names = Object.entries(clients).flatMap(([name, { isHere }]) => (isHere ? [name] : []))

let certificates: Certificates
let caFile: string

beforeAll(async () => {
  certificates = await makeCertificates()
  caFile = join(certificates.folder, 'ca.crt')
})
afterAll(() => certificates.remove())

/** One whose clients are told to come over TLS, and to a name. */
async function connectedOverTls(): Promise<Connected & { readonly stop: () => Promise<void> }> {
  const port = await freePort()
  const tls = { ...certificates.server, ca: certificates.ca }
  return createConnected({ tls, listen: { host: '127.0.0.1', port }, advertise: { host: 'localhost', port } })
}

type Entered = { readonly grant: Grant; readonly way: Way }

async function entered(world: World): Promise<Entered> {
  const { grant, credential } = await opened(world.as('alice'))
  return { grant, way: { credential, caFile: credential.tls === 'disable' ? undefined : caFile } }
}

/** Whose access is revoked as soon as one of its statements is under way for good. */
const revoked = (world: World, { id }: Grant): Cues => ({
  asleep: () => untilAsleep(world),
  waiting: () =>
    void untilAsleep(world).then(() => world.as('dora').revokeGrant({ id, reason: 'The errands are done' })),
})

async function recordingsHold({ world, options }: Connected, { id }: Grant): Promise<number> {
  const sessions = await eventually(async () => {
    const { items } = await world.admin.listSessions({ grant: id, open: 'false' })
    expect(items.length).toBeGreaterThan(1)
    return items
  })
  for (const { id: session, startedAt, head } of sessions) {
    if (head === undefined) continue
    const folder = recordingFolder(join(options.dir, 'recordings'), session, instant(Date.parse(startedAt)))
    expect(await verifyRecording(folder, { head: { session, ...head } })).toMatchObject({ ok: true, state: 'ended' })
  }
  return sessions.reduce((sum, { statements }) => sum + (statements ?? 0), 0)
}

const answersWithout = (errands: readonly Errand[]): object =>
  Object.fromEntries(Object.entries(answers).filter(([errand]) => !errands.includes(errand as Errand)))

function expectReason({ ended, idle }: Told, isMute: boolean | undefined, words: string): void {
  if (isMute) return
  // Of what ends while it runs, libpq keeps the message alone.
  expect(['57P01', null]).toContain(ended?.[0])
  expect(ended?.[1]).toContain(words)
  expect(idle?.[1]).toContain(words)
}

describe.each(['without TLS', 'over TLS'])('%s', (kind) => {
  let connected: Connected & { readonly stop: () => Promise<void> }
  beforeAll(async () => {
    connected = await (kind === 'over TLS' ? connectedOverTls() : createConnected())
  })
  afterAll(() => connected.stop())

  test.each(names)('%s does all that its kind does, and is told why when its access is revoked', async (name) => {
    const { client, lacks = [], isMute } = clients[name]!
    const { world } = connected
    const { grant, way } = await entered(world)
    const told = await client('errands', way, revoked(world, grant))
    expect(told).toMatchObject(answersWithout(lacks))
    expectReason(told, isMute, `access was revoked by user:dora (grant ${grant.id})`)
    expect(told.again).toContain('password authentication failed')
    expect(await recordingsHold(connected, grant)).toBeGreaterThan(30)
  })

  test.skipIf(!hasPsql)('psql runs a script, and is told why when its access is revoked', async () => {
    const { world } = connected
    const { grant, way } = await entered(world)
    const script = [
      'create temp table t (a int, b text);',
      '\\copy t from stdin',
      '1\tone',
      '2\ttwo',
      '\\.',
      '\\set FETCH_COUNT 1',
      'select * from t order by a;',
      'select count(*) from shop.orders \\gset',
      '\\echo :count',
      'select 41 + 1;',
      'select pg_sleep(600);',
    ]
    revoked(world, grant).waiting()
    const env = environmentOf(way) as Record<string, string>
    const ran = await run('psql', ['-X', '-At'], { env, input: `${script.join('\n')}\n` })
    expect(ran.stdout).toBe('CREATE TABLE\nCOPY 2\n1|one\n2|two\n300\n42\n')
    expect(ran.stderr).toContain(`FATAL:  access was revoked by user:dora (grant ${grant.id})`)
    expect((await run('psql', ['-X', '-c', 'select 1'], { env })).stderr).toContain('password authentication failed')
  })

  test.skipIf(!hasPgbench)('pgbench runs in all its protocols, and in a pipeline', async () => {
    const { world } = connected
    const { way } = await entered(world)
    const file = join(scratchFolder(), 'read.sql')
    const reading = '\\set id random(1, 300)\nselect id, status from shop.orders where id = :id;\n'
    const pipelined = `\\startpipeline\n${reading.repeat(5)}\\endpipeline\n`
    const bench = async (protocol: string, text: string) => {
      await writeFile(file, text)
      const argv = ['-n', '-M', protocol, '-c', '4', '-j', '2', '-t', '50', '-f', file]
      return run('pgbench', argv, { env: environmentOf(way) as Record<string, string> })
    }
    for (const protocol of ['simple', 'extended', 'prepared']) {
      expect(await bench(protocol, reading)).toMatchObject({ code: 0, stdout: expect.stringContaining('200/200') })
    }
    for (const protocol of ['extended', 'prepared']) {
      expect(await bench(protocol, pipelined)).toMatchObject({ code: 0, stdout: expect.stringContaining('200/200') })
    }
  })
})

describe('libpq of PostgreSQL 18', () => {
  let connected: Connected & { readonly stop: () => Promise<void> }
  let newer: Readonly<Record<string, string>>
  beforeAll(async () => {
    connected = await connectedOverTls()
    // The one that came with the server; programs that are linked to an older one take it as well.
    newer = { LD_LIBRARY_PATH: join((await findInstallation()).native, 'lib') }
  })
  afterAll(() => connected.stop())

  test.skipIf(!hasPsycopg)(
    'psycopg with it begins with TLS, speaks protocol 3.2, and does all that it does',
    async () => {
      const { world } = connected
      const { grant, way } = await entered(world)
      const env = { ...newer, PGSSLNEGOTIATION: 'direct', PGMINPROTOCOLVERSION: '3.2', PGMAXPROTOCOLVERSION: '3.2' }
      const told = await psycopg(env)('errands', way, revoked(world, grant))
      expect(told.version).toMatch(/libpq 18\./)
      expect(told).toMatchObject(answers)
      expectReason(told, undefined, 'access was revoked')
    },
  )

  test.skipIf(!hasPsql)('psql with it is let in without a certificate’s name only where it does not look', async () => {
    const { way } = await entered(connected.world)
    const psql = (env: Record<string, string>) =>
      run('psql', ['-X', '-Atc', 'select 1'], {
        env: { ...(environmentOf(way) as Record<string, string>), ...newer, ...env },
      })
    expect(await psql({ PGSSLNEGOTIATION: 'direct' })).toMatchObject({ code: 0, stdout: '1\n' })
    expect((await psql({ PGHOST: '127.0.0.1' })).stderr).toContain('does not match host name')
    expect((await psql({ PGSSLMODE: 'disable', PGCHANNELBINDING: 'prefer' })).stderr).toContain(
      'only spoken to over TLS',
    )
    expect((await psql({ PGCHANNELBINDING: 'require', PGSSLMODE: 'disable' })).stderr).toMatch(/channel binding|TLS/)
  })
})

test('every client is told when its time is over, also one that is idle, and none comes in again', async () => {
  const clock = createTestClock(Date.now())
  const connected = await connectedWorld({ clock })
  const { world } = connected
  let waiting = 0
  const cues: Cues = { asleep: () => untilAsleep(world), waiting: () => void waiting++ }
  const told = names.map(async (name) => clients[name]!.client('wait', (await entered(world)).way, cues))
  const all = Promise.all(told)
  await eventually(() => expect(waiting).toBe(names.length))
  await untilAsleep(world, names.length)
  clock.advance(31 * 60_000)
  for (const [i, one] of (await all).entries()) {
    expectReason(one, clients[names[i]!]!.isMute, 'its time is over (grant grt_')
    expect(one.again).toMatch(/its time is over|cannot be found out/)
  }
})
