import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isTargetBefore16 } from '../../../../tests/support/databases.ts'
import { newGrant, newLease, openTarget, type UnderTest } from '../testing/postgres-target.ts'
import type { Credential, Lease } from '../contract.ts'
import { issuerNames } from './names.ts'

let target: UnderTest
beforeAll(async () => {
  target = await openTarget()
  expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
})
afterAll(() => target.cleanup())

const endOf = (client: pg.Client): Promise<void> => new Promise((resolve) => client.once('end', () => resolve()))

async function opened(lease: Lease): Promise<Credential> {
  const outcome = await target.connector.open(lease)
  if (outcome.outcome !== 'opened') throw new Error(outcome.message)
  return outcome.credential
}

test('the admin that all this runs with is no superuser', async () => {
  const rows = await target.ask(
    'SELECT rolsuper, rolcreaterole, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = $1',
    [target.harness.admin.user],
  )
  expect(rows).toEqual([{ rolsuper: false, rolcreaterole: true, rolbypassrls: false, rolreplication: false }])
})

test('ends the sessions of its grant and nobody else’s, not even those the admin could end', async () => {
  const bystander = await target.loginAs({ user: target.harness.admin.user, secret: target.harness.admin.password })
  const other = newLease('narrow')
  const neighbour = await target.loginAs(await opened(other))
  const lease = newLease('narrow')
  const session = await target.loginAs(await opened(lease))
  const ended = endOf(session)
  expect(await target.connector.close(lease.grant)).toEqual({ outcome: 'closed', existed: true, sessionsEnded: 1 })
  await ended
  for (const client of [bystander, neighbour]) {
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await client.end()
  }
  await target.connector.close(other.grant)
})

test('ends a session in the middle of a statement, and what the statement did is undone', async () => {
  const lease = newLease('wide')
  const session = await target.loginAs(await opened(lease))
  await session.query('BEGIN; DELETE FROM order_items')
  const running = session.query('SELECT pg_sleep(60)').catch((error: unknown) => error)
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed', sessionsEnded: 1 })
  expect(await running).toBeInstanceOf(Error)
  expect(await target.ask('SELECT count(*)::int > 0 AS there FROM shop.order_items')).toEqual([{ there: true }])
})

test('a connection that was let in just before the login was shut does not outlive the close', async () => {
  // The second database is being renamed, which holds a connection up after its login has been checked.
  const slow = `${target.harness.database}_slow`
  await target.ask(`CREATE DATABASE ${slow}`)
  const renaming = new pg.Client({ connectionString: target.harness.superuserUrl })
  await renaming.connect()
  const lease = newLease('narrow')
  const credential = await opened(lease)
  await renaming.query(`BEGIN; ALTER DATABASE ${slow} RENAME TO ${slow}_2`)
  const ended = target.loginAs(credential, slow).then(endOf, () => undefined)
  const waits = `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'object' AND classid = 'pg_database'::regclass`
  await until(async () => (await target.ask(waits)).length > 0)

  const closing = target.connector.close(lease.grant)
  await until(
    async () =>
      (await target.ask('SELECT FROM pg_roles WHERE rolname = $1 AND NOT rolcanlogin', [credential.user])).length > 0,
  )
  await renaming.query('ROLLBACK')
  expect(await closing).toEqual({ outcome: 'closed', existed: true, sessionsEnded: 1 })
  await ended
  expect(await target.ask('SELECT pid FROM pg_stat_activity WHERE datname = $1', [slow])).toEqual([])
  await renaming.end()
  await target.ask(`DROP DATABASE ${slow}`)
})

test.skipIf(isTargetBefore16())(
  'an open whose answer was lost and that is still on its way is waited for, not taken for absent',
  async () => {
    const lease = newLease('narrow')
    const login = `${target.config.rolePrefix}${lease.grant}`
    const late = new pg.Client({ connectionString: target.harness.superuserUrl })
    await late.connect()
    await late.query(`BEGIN; SET LOCAL ROLE "${issuerNames(target.config)[0]}"; CREATE ROLE "${login}" LOGIN`)
    const closing = target.connector.close(lease.grant)
    await until(
      async () =>
        (await target.ask("SELECT FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")).length > 0,
    )
    await late.query('COMMIT')
    await late.end()
    expect(await closing).toMatchObject({ outcome: 'closed', existed: true })
    expect(await target.ask('SELECT FROM pg_roles WHERE rolname = $1', [login])).toEqual([])
  },
)

test('hands over tables and functions, gives back privileges and defaults, and leaves no dependency', async () => {
  await target.ask(
    `CREATE SCHEMA lab AUTHORIZATION ${target.harness.owner}; GRANT CREATE, USAGE ON SCHEMA lab TO PUBLIC`,
  )
  const lease = newLease('narrow')
  const credential = await opened(lease)
  const session = await target.loginAs(credential)
  await session.query(`CREATE TABLE lab.mine (id int PRIMARY KEY); GRANT SELECT ON lab.mine TO PUBLIC;
    CREATE FUNCTION lab.f() RETURNS int LANGUAGE sql RETURN 1; CREATE TYPE lab.mood AS ENUM ('good');
    CREATE VIEW lab.seen AS SELECT * FROM lab.mine; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC`)
  await target.ask(`GRANT UPDATE ON shop.products TO "${credential.user}"`)
  await session.end()
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed', existed: true })
  const owners = await target.ask(
    "SELECT relname, relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'lab'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1",
  )
  expect(owners).toEqual([
    { relname: 'mine', owner: target.harness.owner },
    { relname: 'seen', owner: target.harness.owner },
  ])
})

describe('in a database that is not configured', () => {
  test('what the holder left is handed over too', async () => {
    const database = `${target.harness.database}_other`
    await target.ask(`CREATE DATABASE ${database} OWNER ${target.harness.owner}`)
    await target.in(database, 'GRANT CREATE ON SCHEMA public TO PUBLIC')
    const lease = newLease('narrow')
    const session = await target.loginAs(await opened(lease), database)
    await session.query('CREATE TABLE public.mine (id int)')
    await session.end()
    expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed' })
    await target.ask(`DROP DATABASE ${database} WITH (FORCE)`)
  })

  test('what cannot be reached is a failure that names the database, and the login stays shut', async () => {
    const database = `${target.harness.database}_locked`
    await target.ask(`CREATE DATABASE ${database}`)
    const lease = newLease('narrow')
    const credential = await opened(lease)
    const session = await target.loginAs(credential, database)
    await session.query('SELECT lo_create(0)')
    await session.end()
    await target.ask(`REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`)
    expect(await target.connector.close(lease.grant)).toMatchObject({
      outcome: 'failed',
      notDone: false,
      cause: 'refused',
      message: expect.stringContaining(database) as string,
    })
    await expect(target.loginAs(credential)).rejects.toThrow('not permitted to log in')
    await target.ask(`GRANT CONNECT ON DATABASE ${database} TO PUBLIC`)
    expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed', existed: true })
    await target.ask(`DROP DATABASE ${database} WITH (FORCE)`)
  })
})

test('privileges that the admin cannot take back are a failure that names them', async () => {
  const lease = newLease('narrow')
  const { user } = await opened(lease)
  await target.ask(`CREATE TABLE public.not_ours (id int); GRANT SELECT ON public.not_ours TO "${user}"`)
  expect(await target.connector.close(lease.grant)).toMatchObject({
    outcome: 'failed',
    cause: 'refused',
    message: expect.stringContaining('privileges for table public.not_ours') as string,
  })
  await target.ask('DROP TABLE public.not_ours')
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed', existed: true })
})

test('goes on where an operator’s DROP ROLE was faster', async () => {
  const lease = newLease('narrow')
  const { user } = await opened(lease)
  await target.ask(`DROP ROLE "${user}"`)
  expect(await target.connector.close(lease.grant)).toEqual({ outcome: 'closed', existed: false, sessionsEnded: 0 })
})

test('two closes of one grant at once both end with nothing left', async () => {
  const lease = newLease('narrow')
  const session = await target.loginAs(await opened(lease))
  const ended = endOf(session)
  await Promise.all([target.connector.close(lease.grant), target.connector.close(lease.grant)])
  await ended
  expect(await target.connector.close(lease.grant)).toEqual({ outcome: 'closed', existed: false, sessionsEnded: 0 })
})

test.skipIf(isTargetBefore16())(
  'a holder cannot extend the grant, lift its limit, become the group, or make roles',
  async () => {
    const lease = newLease('wide')
    const { user, ...rest } = await opened(lease)
    const session = await target.loginAs({ user, ...rest })
    const attempts = [
      `ALTER ROLE "${user}" VALID UNTIL 'infinity'`,
      `ALTER ROLE "${user}" CONNECTION LIMIT -1`,
      `ALTER ROLE "${user}" CREATEROLE`,
      `SET ROLE "${target.group('wide')}"`,
      `GRANT "${target.group('wide')}" TO PUBLIC`,
      `GRANT "${target.group('wide')}" TO ${target.harness.owner}`,
      'CREATE ROLE friend',
      'GRANT SELECT ON orders TO PUBLIC',
      'CREATE TABLE shop.mine (id int)',
    ]
    for (const text of attempts) {
      const outcome = await session.query(text).then(
        (result) => (text.startsWith('GRANT SELECT') ? 'no privileges were granted' : result.command),
        (error: Error) => error.message,
      )
      expect(`${text}: ${outcome}`).toMatch(
        /permission denied|must be|not allowed|no privileges were granted|invalid|role "public" does not exist|Only roles/,
      )
    }
    expect(
      await target.ask(
        "SELECT FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_schema = 'shop'",
      ),
    ).toEqual([])
    await session.end()
    await target.connector.close(lease.grant)
  },
)

describe('a holder cannot hold the close up', () => {
  test.each([
    ['a change of its own role', 'ALTER ROLE CURRENT_USER PASSWORD $$mine$$'],
    ['a setting of its own role', 'ALTER ROLE CURRENT_USER SET search_path TO public'],
    ['something it made', 'SELECT lo_create(0)'],
    ['a lock on a table', 'LOCK TABLE orders IN ROW EXCLUSIVE MODE'],
    ['an advisory lock', 'SELECT pg_advisory_lock(1)'],
  ])('with %s in a transaction that it leaves open', async (_, text) => {
    const lease = newLease('wide')
    const credential = await opened(lease)
    const sessions = await Promise.all([target.loginAs(credential), target.loginAs(credential)])
    const ended = Promise.all(sessions.map(endOf))
    const [first, second] = sessions
    await first?.query(`BEGIN; ${text}`)
    // Waits behind the first, to be next.
    second?.query(`BEGIN; ${text}`).catch(() => undefined)
    expect(await target.connector.close(lease.grant)).toEqual({ outcome: 'closed', existed: true, sessionsEnded: 2 })
    await ended
  })
})

test('more sessions than configured are refused by the target', async () => {
  const lease = newLease('narrow')
  const credential = await opened(lease)
  const sessions = await Promise.all(Array.from({ length: 5 }, () => target.loginAs(credential)))
  await expect(target.loginAs(credential)).rejects.toThrow('too many connections for role')
  expect(await target.connector.close(lease.grant)).toMatchObject({ sessionsEnded: 5 })
  await Promise.allSettled(sessions.map((session) => session.end()))
})

test('an open login that someone made more of is not given a new secret', async () => {
  const lease = newLease('narrow')
  const { user } = await opened(lease)
  await target.ask(`ALTER ROLE "${user}" CREATEDB`)
  expect(await target.connector.open(lease)).toMatchObject({ outcome: 'failed', notDone: true, cause: 'refused' })
  await target.ask(`ALTER ROLE "${user}" NOCREATEDB`)
  await target.connector.close(lease.grant)
})

test('no password is ever part of what is sent', async () => {
  const lease = newLease('narrow')
  const { secret } = await opened(lease)
  const all = target.sent.join('\n')
  expect(all).toContain(lease.grant)
  expect(all).not.toContain(secret)
  expect(all).not.toContain(target.harness.admin.password)
  await target.connector.close(lease.grant)
})

test('an open grant leaves no entry in any access list, so that a thousand weigh nothing', async () => {
  const lease = newLease('narrow')
  const { user } = await opened(lease)
  const dependents = 'SELECT FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid WHERE r.rolname = $1'
  expect(await target.ask(dependents, [user])).toEqual([])
  await target.connector.close(lease.grant)
})

test('closing what was never opened makes no lasting role', async () => {
  const grant = newGrant()
  await target.connector.close(grant)
  expect(await target.connector.find()).toEqual([])
})

/** Asks until it is so; the test's own time limit ends it. */
async function until(so: () => Promise<boolean>): Promise<void> {
  while (!(await so())) await new Promise((resolve) => setImmediate(resolve))
}
