/** TLS on both sides, with certificates of the test's own. */

import { randomBytes } from 'node:crypto'
import { chown, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startTargetPostgres, type TestPostgres } from '../../../../tests/support/embedded.ts'
import { hasProgram } from '../../../../tests/support/programs.ts'
import { scratchRoot } from '../../../../tests/support/folders.ts'
import { withClient } from '../../../../tests/support/clients.ts'
import { openTarget } from './shell/target.ts'
import { type Certificates, makeCertificates } from './testing/certificates.ts'
import { startGatewayForTest, testUser, type TestGateway, untilAsleep, type Wishes } from './testing/gateway.ts'
import { runPsql } from './testing/psql.ts'
import { cancelPacket, lineOn, readAll, ring } from './testing/wire.ts'
import { sslRequest, startupMessage } from './wire/write.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

let certificates: Certificates

beforeAll(async () => {
  certificates = await makeCertificates()
})
afterAll(() => certificates.remove())

const startWithTls = ({ settings, ...wishes }: Wishes = {}): Promise<TestGateway> =>
  startGatewayForTest({ ...wishes, settings: { tls: certificates.server, plain: 'nobody', ...settings } })

describe('a client', () => {
  test.skipIf(!hasPsql)('psql verifies the gateway and is bound to its certificate', async () => {
    const world = await startWithTls()
    const env = {
      PGSSLMODE: 'verify-full',
      PGHOST: 'localhost',
      PGHOSTADDR: '127.0.0.1',
      PGSSLROOTCERT: join(certificates.folder, 'ca.crt'),
      PGCHANNELBINDING: 'require',
    }
    const ran = await runPsql(world, ['-Atc', 'select 1'], { env })
    expect(ran).toEqual({ code: 0, stdout: '1\n', stderr: '' })
    expect(world.sessions[0]?.client.tls).toBe(true)
  })

  test('node-postgres comes in over TLS', async () => {
    const world = await startWithTls()
    const client = new Client({ ...world.connection, host: 'localhost', ssl: { ca: certificates.ca } })
    await client.connect()
    onTestFinished(() => client.end())
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test.skipIf(!hasPsql)('without TLS is told that it needs it', async () => {
    const world = await startWithTls()
    const ran = await runPsql(world, ['-c', 'select 1'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain('only spoken to over TLS')
  })

  test.skipIf(!hasPsql)('that prefers TLS goes without it where there is none', async () => {
    const world = await startGatewayForTest({ settings: { plain: 'loopback' } })
    const env = { PGSSLMODE: 'prefer', PGGSSENCMODE: 'prefer' }
    expect((await runPsql(world, ['-Atc', 'select 1'], { env })).stdout).toBe('1\n')
  })

  /** As libpq of PostgreSQL 17 with `sslnegotiation=direct`. */
  const direct = async ({ host, port }: TestGateway, alpn: readonly string[]) => {
    const socket = connectTls({ host, port, servername: 'localhost', ca: certificates.ca, ALPNProtocols: [...alpn] })
    socket.on('error', () => undefined)
    onTestFinished(() => void socket.destroy())
    await once(socket, 'secureConnect').catch(() => undefined)
    return socket
  }
  const startup = startupMessage(new Map(Object.entries({ user: testUser.user, database: testUser.database })))

  test('may begin with TLS at once, if it names the protocol', async () => {
    const world = await startWithTls()
    const socket = await direct(world, ['postgresql'])
    expect(socket.alpnProtocol).toBe('postgresql')
    socket.write(startup)
    const asked = await lineOn(socket).next()
    expect(asked.buffer.toString('latin1')).toContain('SCRAM-SHA-256-PLUS')
  })

  test.each([[[]], [['http/1.1']]])('that begins with TLS at once and names %j is not served', async (alpn) => {
    const world = await startWithTls()
    const socket = await direct(world, alpn)
    if (!socket.destroyed) socket.write(startup)
    expect((await readAll(socket)).toString('latin1')).not.toContain('SCRAM')
  })

  test('that sends more before TLS than its request is turned away (CVE-2021-23214)', async () => {
    const world = await startWithTls()
    const socket = await ring(world)
    socket.write(Buffer.concat([sslRequest(), startup]))
    const answer = await readAll(socket)
    expect(answer.toString('latin1')).not.toContain('S\0\0\0')
    expect(answer.toString()).toContain('sent more after its request for TLS')
  })

  test('that asks for encryption within TLS, or again and again, is turned away', async () => {
    const world = await startWithTls()
    const within = await direct(world, ['postgresql'])
    within.write(sslRequest())
    expect((await readAll(within)).toString()).toContain('a request for encryption within TLS')
    const plain = await startGatewayForTest()
    const again = await ring(plain)
    again.write(Buffer.concat([sslRequest(), sslRequest()]))
    expect((await readAll(again)).toString()).toBe('N')
  })

  test('cancels over TLS as well', async () => {
    const world = await startWithTls()
    const client = new Client({ ...world.connection, host: 'localhost', ssl: { ca: certificates.ca } })
    await client.connect()
    onTestFinished(() => client.end())
    const running = client.query('select pg_sleep(60)')
    await untilAsleep(world)
    const socket = await direct(world, ['postgresql'])
    socket.write(cancelPacket(client))
    await expect(running).rejects.toMatchObject({ code: '57014' })
  })
})

test('settings that let nobody in, or whose key does not fit, do not start', async () => {
  await expect(startGatewayForTest({ settings: { plain: 'nobody' } })).rejects.toThrow('no client could connect')
  const tls = { key: certificates.server.key, cert: certificates.ca }
  await expect(startGatewayForTest({ settings: { tls } })).rejects.toThrow('key values mismatch')
  await expect(startGatewayForTest({ settings: { mockSecret: randomBytes(8) } })).rejects.toThrow('32 bytes')
})

describe('a target', () => {
  let cluster: TestPostgres

  beforeAll(async () => {
    const dataDir = join(scratchRoot(), `tidegate-gateway-target-${process.pid}`)
    cluster = await startTargetPostgres({ dataDir, durable: false })
    const data = join(dataDir, 'postgres')
    const { uid, gid } = await stat(data)
    for (const [name, text] of Object.entries({ key: certificates.server.key, crt: certificates.server.cert })) {
      const file = join(data, `server.${name}`)
      await writeFile(file, text, { mode: 0o600 })
      await chown(file, uid, gid)
    }
    await withClient(cluster.connection, async (client) => {
      await client.query('ALTER SYSTEM SET ssl = on')
      await client.query('SELECT pg_reload_conf()')
      const isOn = async (): Promise<boolean> => (await client.query('SHOW ssl')).rows[0].ssl === 'on'
      while (!(await isOn())) await new Promise((resolve) => setImmediate(resolve))
    })
  })
  afterAll(() => cluster.stop())

  const targetOf = (wishes: { host?: string; ca?: string; secret?: string; tls?: 'disable' } = {}) => {
    const { port, user, password: secret, database } = cluster.connection
    return {
      host: 'localhost',
      port,
      user,
      secret,
      database,
      tls: 'verify-full',
      ca: certificates.ca,
      ...wishes,
    } as const
  }
  const open = (target: ReturnType<typeof targetOf>) =>
    openTarget({ target, parameters: new Map(), random: (n) => randomBytes(n), signal: new AbortController().signal })

  test('is reached over TLS, bound to its certificate, and its statements can be cancelled', async () => {
    const world = await startGatewayForTest({ target: targetOf() })
    const asleep = { database: { connection: cluster.connection } } as TestGateway
    const client = new Client(world.connection)
    await client.connect()
    onTestFinished(() => client.end())
    const { rows } = await client.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()')
    expect(rows).toEqual([{ ssl: true }])
    const running = client.query('select pg_sleep(60)')
    await untilAsleep(asleep)
    const socket = await ring(world)
    socket.write(cancelPacket(client))
    await expect(running).rejects.toMatchObject({ code: '57014' })
  })

  test('with a certificate of another authority, or for another name, is not logged in to', async () => {
    await expect(open(targetOf({ ca: certificates.otherCa }))).rejects.toThrow('TLS handshake failed')
    await expect(open(targetOf({ host: '127.0.0.1' }))).rejects.toThrow('TLS handshake failed')
  })

  test('that refuses the password is told apart from one that is not there, and neither tells its login', async () => {
    const world = await startGatewayForTest({ target: targetOf({ secret: 'wrong' }) })
    await expect(new Client(world.connection).connect()).rejects.toMatchObject({
      code: '28P01',
      message: 'the target did not let Tidegate in',
    })
    const nobody = await startGatewayForTest({ target: { port: 1 } })
    await expect(new Client(nobody.connection).connect()).rejects.toMatchObject({ code: '08006' })
    expect([...world.recorders, ...nobody.recorders].every((recorder) => recorder.isEnded())).toBe(true)
  })
})
