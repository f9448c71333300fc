/** A gateway and a control plane: real sockets, a real PostgreSQL, real clients. */

import { once } from 'node:events'
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { makeCertificates } from '../postgres/testing/certificates.ts'
import { createTestClock } from '../postgres/testing/clock.ts'
import { verifierOf } from '../postgres/testing/gateway.ts'
import { recordingFolder } from '../recording/format/place.ts'
import { readRecording } from '../recording/read/read-recording.ts'
import { verifyRecording } from '../recording/read/verify.ts'
import { startGateway } from './gateway.ts'
import { controlLimits as limits } from './limits.ts'
import {
  connectTo,
  connectionTo,
  createWorldForTest,
  folderForTest,
  releaseOf,
  renewedVerifier,
  reported,
  type World,
} from './testing/world.ts'
import { startPlaneForTest } from './testing/plane.ts'

const backends = ({ database }: World): Promise<number> =>
  withClient(database.connection, async (client) => {
    const others = 'select count(*)::int as n from pg_stat_activity where datname = current_database()'
    return (await client.query(`${others} and pid <> pg_backend_pid()`)).rows[0].n as number
  })

async function untilGone(world: World): Promise<void> {
  while ((await backends(world)) > 0) await new Promise((resolve) => setImmediate(resolve))
}

describe('identity', () => {
  test('is made for this user alone, and used again', async () => {
    const world = await createWorldForTest()
    expect(world.gateway.id).toBe('gw-test')
    for (const name of ['gateway.key', 'identity.json']) {
      expect((await stat(join(world.dir, name))).mode & 0o777).toBe(0o600)
    }
    expect(JSON.parse(await readFile(join(world.dir, 'identity.json'), 'utf8'))).toEqual({
      gateway: 'gw-test',
      url: world.plane.url,
    })
    await world.gateway.stop()
    const again = await world.startAgain({ enrolmentToken: 'another' })
    expect(again.id).toBe('gw-test')
    expect(world.plane.calls.filter((call) => call === 'enrolGateway')).toHaveLength(1)
    expect(world.logged.join('\n')).toContain('enrolment-token-ignored')
    const client = await connectTo(connectionTo(again, world.grant))
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('is not there without a token, and not had for a wrong one', async () => {
    const plane = await startPlaneForTest()
    const options = { url: plane.url, listen: { host: '127.0.0.1', port: 0 }, log: () => undefined }
    await expect(startGateway({ ...options, dir: await folderForTest() })).rejects.toMatchObject({
      name: 'GatewayRefusal',
      code: 'setting',
      remedy: expect.stringContaining('tidegate gateways new'),
    })
    const wrong = { ...options, dir: await folderForTest(), enrolmentToken: 'tge_wrong' }
    await expect(startGateway(wrong)).rejects.toMatchObject({ name: 'GatewayRefusal', code: 'unknown' })
  })

  test('is not made in a folder that is none, nor without a server that answers', async () => {
    const dir = await folderForTest()
    await writeFile(join(dir, 'file'), '')
    const options = { listen: { host: '127.0.0.1', port: 0 }, log: () => undefined, enrolmentToken: 'tge_some' }
    const nowhere = { ...options, url: 'http://127.0.0.1:1' }
    await expect(startGateway({ ...nowhere, dir: join(dir, 'file') })).rejects.toThrow('can neither be read nor made')
    await expect(startGateway({ ...nowhere, dir })).rejects.toMatchObject({
      code: 'unreachable',
      message: 'No control plane answers at http://127.0.0.1:1.',
    })
    await expect(startGateway({ ...nowhere, dir, openWithoutServerMs: 0 })).rejects.toThrow('not a length of time')
  })

  test('that others can read is not used', async () => {
    const world = await createWorldForTest()
    await world.gateway.stop()
    const key = join(world.dir, 'gateway.key')
    await chmod(key, 0o640)
    await expect(world.startAgain()).rejects.toMatchObject({ name: 'GatewayRefusal' })
  })

  test('that the control plane does not take any more does not start', async () => {
    const world = await createWorldForTest()
    await world.gateway.stop()
    world.plane.putOut()
    await expect(world.startAgain()).rejects.toMatchObject({ name: 'GatewayRefusal', code: 'unknown' })
  })

  test.each([3, -3])('signs in by the server’s clock where this machine’s is wrong by %s hours', async (hours) => {
    const plane = await startPlaneForTest()
    plane.setAheadMs(hours * 3_600_000)
    const options = { url: plane.url, listen: { host: '127.0.0.1', port: 0 }, log: () => undefined }
    const gateway = await startGateway({
      ...options,
      dir: await folderForTest(),
      enrolmentToken: plane.enrolmentToken,
    })
    expect(plane.calls).toContain('syncGateway')
    await gateway.stop()
  })
})

describe('coming in', () => {
  test('with the token of a live grant leads to its target, and the session is told with its recording', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    await client.query('select $1::int as a', [1])
    await expect(client.query('select wrong')).rejects.toMatchObject({ code: '42703' })
    const opened = await reported(world.plane, 'opened')
    expect(opened).toMatchObject({
      grant: world.grant.grant,
      database: world.grant.databases[0],
      client: { address: '127.0.0.1', tls: false },
    })
    await client.end()
    const ended = await reported(world.plane, 'ended')
    expect(ended).toMatchObject({ session: opened.session, reason: 'the client left', statements: 2, refused: 0 })
    const folder = recordingFolder(join(world.dir, 'recordings'), opened.session, Date.parse(opened.at) as never)
    const head = { session: opened.session, ...ended.head! }
    expect(await verifyRecording(folder, { head })).toMatchObject({ ok: true, state: 'ended' })
    const texts: unknown[] = []
    for await (const event of readRecording(folder)) if (event.type === 'statement') texts.push(event.text)
    expect(texts).toEqual(['select $1::int as a', 'select wrong'])
  })

  test('with another password, another database or an unknown grant does not', async () => {
    const world = await createWorldForTest()
    await expect(world.connect({ user: 'grt_01k00000000000000000000002' })).rejects.toMatchObject({ code: '28P01' })
    await expect(world.connect({ database: 'postgres' })).rejects.toThrow('is not for the database "postgres"')
    expect(world.plane.released).toEqual([])
    const wrong = { password: 'wrong' }
    await expect(world.connect(wrong)).rejects.toMatchObject({ code: '28P01' })
    await expect(world.connect(wrong)).rejects.toMatchObject({ code: '28P01' })
    // Ahead of the proof of the first.
    expect(world.plane.released).toEqual([world.grant.grant])
    expect(world.plane.reports).toEqual([])
    expect(await readdir(join(world.dir, 'sessions'))).toEqual([])
  })

  test('asks for the target’s login once for a grant, and again once its password is another', async () => {
    const world = await createWorldForTest()
    await Promise.all([world.connect(), world.connect()])
    await world.connect()
    expect(world.plane.released).toEqual([world.grant.grant])
    const synced = once(world.plane.happened, 'syncGateway')
    world.plane.put({ ...world.grant, verifier: verifierOf('another') })
    await synced
    await expect(world.connect()).rejects.toMatchObject({ code: '28P01' })
    await world.connect({ password: 'another' })
    expect(world.plane.released).toHaveLength(2)
  })

  test('with a password that is newer than what was told is asked about, and lets in', async () => {
    const world = await createWorldForTest()
    await world.connect()
    world.plane.hold({ ...world.grant, verifier: renewedVerifier('another') })
    await world.connect({ password: 'another' })
    expect(world.plane.released).toHaveLength(2)
    await expect(world.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  test('with a newer password that comes with another salt does not, and does the next time', async () => {
    const world = await createWorldForTest()
    world.plane.hold({ ...world.grant, verifier: verifierOf('another') })
    await expect(world.connect({ password: 'another' })).rejects.toMatchObject({ code: '28P01' })
    await world.connect({ password: 'another' })
  })

  test('with a grant that was not told of yet is asked about, and lets in', async () => {
    const world = await createWorldForTest()
    const grant = { ...world.grant, grant: 'grt_01k00000000000000000000003' }
    world.plane.releases.set(grant.grant, world.plane.releases.get(world.grant.grant)!)
    world.plane.hold(grant)
    await world.connect({ user: grant.grant })
  })

  test('with wrong passwords, many at once, is refused in the same words as an unknown grant, and asks seldom', async () => {
    const world = await createWorldForTest()
    const asked = { count: 0 }
    world.plane.happened.on('about', () => (asked.count += 1))
    const began = performance.now()
    const users = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? world.grant.grant : unknownGrant(i)))
    const told = await Promise.all(
      users.map((user) => world.connect({ user, password: 'wrong' }).then(() => 'let in', String)),
    )
    const words = told.map((text, i) => text.replace(users[i]!, 'GRANT'))
    expect(new Set(words)).toEqual(new Set(['error: password authentication failed for user "GRANT"']))
    expect(asked.count).toBeLessThanOrEqual(2 + (performance.now() - began) / limits.askEveryMs)
  })

  test('cannot be found out where the control plane does not say, although the gateway has heard of it lately', async () => {
    const world = await createWorldForTest()
    world.plane.fail('syncGateway', 'unavailable')
    await expect(world.connect({ password: 'wrong' })).rejects.toMatchObject({ code: '57P03' })
    await world.connect()
  })

  test('to a target that lets nobody in tells of no session, and leaves nothing', async () => {
    const world = await createWorldForTest()
    world.plane.releases.set(world.grant.grant, { ...releaseOf(world.database), secret: 'wrong' })
    await expect(world.connect()).rejects.toThrow('the target did not let Tidegate in')
    const marks = join(world.dir, 'sessions')
    while ((await readdir(marks)).length > 0) await new Promise((resolve) => setImmediate(resolve))
    expect(world.plane.reports).toEqual([])
  })

  test('is held to every guard, and what was refused and used is told', async () => {
    const world = await createWorldForTest()
    const release = releaseOf(world.database)
    const guards = [{ readOnly: true, searchPath: ['public'] }, { denyFunctions: ['pg_sleep*'] }, 'max-rows=2']
    world.plane.releases.set(world.grant.grant, { ...release, guards })
    const client = await world.connect()
    await expect(client.query('create table t (a int)')).rejects.toMatchObject({ code: '42501' })
    await expect(client.query('select pg_sleep(1)')).rejects.toMatchObject({ code: '42501' })
    expect((await client.query('show search_path')).rows).toEqual([{ search_path: '"public"' }])
    await client.query('select relname from pg_class limit 2')
    await expect(client.query('select generate_series(1, 3)')).rejects.toMatchObject({ code: '54000' })
    const ended = await reported(world.plane, 'ended')
    expect(ended).toMatchObject({ statements: 5, refused: 2, used: { tables: { pg_class: ['SELECT'] } } })
  })

  test('hides of results what the mask of its access names', async () => {
    const world = await createWorldForTest()
    await withClient(world.database.connection, async (client) => {
      await client.query("create table people as select 'alice@example.com'::text as email, 7 as orders")
    })
    const open = await world.connect()
    const all = 'select email, orders from people'
    expect((await open.query(all)).rows).toEqual([{ email: 'alice@example.com', orders: 7 }])
    const mask = { columns: [{ names: ['email'], by: 'full' }] }
    world.plane.releases.set(world.grant.grant, { ...releaseOf(world.database), masks: [mask] })
    const synced = once(world.plane.happened, 'syncGateway')
    world.plane.put({ ...world.grant, role: 'support' })
    await synced
    const { rows } = await (await world.connect()).query(all)
    expect(rows).toEqual([{ email: expect.not.stringContaining('alice'), orders: 7 }])
  })

  test.each([
    { rules: [{ readOnyl: true }] },
    { rules: [{ searchPath: ['a'] }, { searchPath: ['b'] }] },
    { rules: ['no such rule'] },
  ])('is refused where the rules cannot be held to: $rules', async ({ rules }) => {
    const world = await createWorldForTest()
    const release = releaseOf(world.database)
    world.plane.releases.set(world.grant.grant, { ...release, guards: rules })
    await expect(world.connect()).rejects.toThrow('the rules of this access cannot be held to here')
  })
})

const unknownGrant = (number: number): string => `grt_01k000000000000000000001${String(number).padStart(2, '0')}`

test('with TLS, clients that look connect, and those without are sent away', async () => {
  const made = await makeCertificates()
  onTestFinished(() => made.remove())
  const world = await createWorldForTest({
    listen: { host: 'localhost', port: 0 },
    tls: { ...made.server, ca: made.ca },
  })
  const to = { host: 'localhost', ssl: { ca: made.ca } }
  expect((await (await world.connect(to)).query('select 1 as one')).rows).toEqual([{ one: 1 }])
  expect(await reported(world.plane, 'opened')).toMatchObject({ client: { tls: true } })
  await expect(world.connect({ host: 'localhost' })).rejects.toThrow('only spoken to over TLS')
})

describe('ending', () => {
  test('a grant that ends takes its sessions with it, and they are told why', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    world.plane.end(world.grant.grant, 'access was revoked by user:bob')
    expect(await client.ended).toBe(`access was revoked by user:bob (grant ${world.grant.grant})`)
    expect(await reported(world.plane, 'ended')).toMatchObject({
      reason: expect.stringContaining('revoked by user:bob'),
    })
    await untilGone(world)
    await expect(world.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  test('a grant that ends while a session is coming in ends that one too', async () => {
    const world = await createWorldForTest()
    const release = releaseOf(world.database)
    let isAhead = true
    const lead = async (socket: Socket): Promise<void> => {
      socket.on('error', () => undefined)
      // What is opened before the proof is of no use here: the next one is for someone who was admitted.
      if (isAhead) {
        isAhead = false
        socket.destroy()
        return
      }
      const told = once(world.plane.happened, 'syncGateway')
      world.plane.end(world.grant.grant, 'access was revoked by user:bob')
      // Asking for more, the gateway has dealt with what it was told.
      await told
      const onward = connect(release.port, release.host)
      onward.on('error', () => undefined)
      socket.pipe(onward).pipe(socket)
    }
    const target = createServer((socket) => void lead(socket)).listen(0, '127.0.0.1')
    await once(target, 'listening')
    onTestFinished(() => void target.close())
    const { port } = target.address() as AddressInfo
    world.plane.releases.set(world.grant.grant, { ...release, host: '127.0.0.1', port })
    const told = await world.connect().then((client) => client.ended, String)
    expect(told).toContain('access was revoked by user:bob')
    expect(await reported(world.plane, 'ended')).toMatchObject({ statements: 0 })
  })

  test('a grant that is not there any more after everything is told anew ends too', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    world.plane.grants.clear()
    world.plane.forgetCursors()
    expect(await client.ended).toContain('access has ended')
  })

  test('one session is killed, and its neighbour of the same grant goes on', async () => {
    const world = await createWorldForTest()
    const one = await world.connect({ database: world.grant.databases[0]! })
    const { session } = await reported(world.plane, 'opened')
    const other = await world.connect()
    world.plane.kill(session, 'killed by user:bob')
    expect(await one.ended).toContain('killed by user:bob')
    await reported(world.plane, 'ended', (report) => report.session === session)
    expect((await other.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a session that is to be killed and is not here is said to be over', async () => {
    const world = await createWorldForTest()
    const session = 'ses_01k00000000000000000000009'
    world.plane.kill(session, 'killed by user:bob')
    expect(await reported(world.plane, 'ended')).toMatchObject({
      session,
      reason: 'this gateway does not have the session',
    })
    expect(world.plane.kills.size).toBe(0)
  })

  test('a deadline that is moved nearer is kept, after a warning', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    world.plane.put({ ...world.grant, expiresAt: new Date(Date.now() + 300).toISOString() })
    expect(await client.ended).toContain('its time is over')
    expect(client.notices).toEqual([expect.stringContaining('access ends in')])
    await expect(world.connect()).rejects.toThrow('its time is over')
  })

  test('other rules end the sessions that began under the ones before, and hold for the next', async () => {
    const world = await createWorldForTest()
    const open = await world.connect()
    await open.query('create table t (a int)')
    const release = releaseOf(world.database)
    world.plane.releases.set(world.grant.grant, { ...release, guards: ['read-only'], rules: 'r2' })
    world.plane.put({ ...world.grant, rules: 'r2' })
    expect(await open.ended).toBe(`the rules of this access have changed; connect again (grant ${world.grant.grant})`)
    const next = await world.connect()
    await expect(next.query('insert into t values (1)')).rejects.toMatchObject({ code: '42501' })
    expect(world.plane.released).toHaveLength(2)
  })

  test('rules that come with the login and were not told yet are asked about, and kept', async () => {
    const world = await createWorldForTest()
    const release = releaseOf(world.database)
    world.plane.releases.set(world.grant.grant, { ...release, rules: 'r2' })
    world.plane.hold({ ...world.grant, rules: 'r2' })
    const client = await world.connect()
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('a session does not open on rules that nobody says are in force', async () => {
    const world = await createWorldForTest()
    const release = releaseOf(world.database)
    world.plane.releases.set(world.grant.grant, { ...release, rules: 'of long ago' })
    await expect(world.connect()).rejects.toThrow('the rules of this access are changing; try again')
    world.plane.releases.set(world.grant.grant, release)
    await world.connect()
  })

  test('a gateway that was removed ends its sessions, lets nobody in and says so', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    world.plane.putOut()
    expect(await client.ended).toContain('put out')
    expect(await world.gateway.lost).toContain('removed')
    await expect(world.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  test('a gateway that stops tells its clients, and what became of them', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    await client.query('select 1')
    await world.gateway.stop()
    expect(await client.ended).toContain('the gateway is stopping')
    expect(world.plane.reports.map(({ what }) => what)).toEqual(['opened', 'ended'])
    expect(await readdir(join(world.dir, 'sessions'))).toEqual([])
  })

  test('a gateway that stops signs off before it ends anything', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    const over: string[] = []
    world.plane.happened.once('signOffGateway', () => over.push('signed off'))
    void client.ended.then(() => over.push('ended'))
    await world.gateway.stop()
    expect(over).toEqual(['signed off', 'ended'])
  })
})

test('a second gateway on one folder is refused, whatever it is set to, and the first goes on', async () => {
  const world = await createWorldForTest()
  await expect(world.startAgain()).rejects.toMatchObject({ name: 'GatewayRefusal', code: 'in-use' })
  await world.connect()
  await world.gateway.stop()
  await (await world.startAgain()).stop()
})

describe('without a server', () => {
  test('open sessions go on to their deadline, which is kept by the server’s clock', async () => {
    const clock = createTestClock(Date.now())
    const world = await createWorldForTest({ clock })
    const client = await world.connect()
    world.plane.silence(true)
    clock.advance(11_000)
    await expect(world.connect()).rejects.toMatchObject({ code: '57P03' })
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    clock.advance(3_600_000)
    expect(await client.ended).toContain('its time is over')
  })

  test('nothing that is to be told is lost: it comes in order when one answers again', async () => {
    const world = await createWorldForTest()
    const client = await world.connect()
    await client.query('select 1')
    const { session } = await reported(world.plane, 'opened')
    world.plane.fail('reportSessions', 'cut')
    const other = await world.connect()
    await other.query('select 2')
    await client.end()
    await other.end()
    await once(world.plane.happened, 'reportSessions')
    world.plane.fail('reportSessions', undefined)
    await reported(world.plane, 'ended', (report) => report.session === session)
    const last = await reported(world.plane, 'ended', (report) => report.session !== session)
    const of = (id: string) => world.plane.reports.filter((one) => one.session === id).map(({ what }) => what)
    expect([of(session).at(0), of(session).at(-1)]).toEqual(['opened', 'ended'])
    expect([of(last.session).at(0), of(last.session).at(-1)]).toEqual(['opened', 'ended'])
  })

  test('a gateway starts that has an identity, and lets people in once there is one', async () => {
    const world = await createWorldForTest()
    await world.gateway.stop()
    world.plane.silence(true)
    const again = await world.startAgain()
    await expect(connectTo(connectionTo(again, world.grant))).rejects.toMatchObject({ code: '57P03' })
    world.plane.silence(false)
    await once(world.plane.happened, 'syncGateway')
    await once(world.plane.happened, 'syncGateway')
    await connectTo(connectionTo(again, world.grant))
  })
})
