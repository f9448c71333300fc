import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isTargetBefore16 } from '../../../../tests/support/databases.ts'
import { createTarget, type Target as Harness } from '../../../../tests/support/target.ts'
import { newLease, openTarget, roleOf, type UnderTest, type Wanted } from '../testing/postgres-target.ts'
import { issuerNames } from './names.ts'

let harness: Harness
const open: UnderTest[] = []
beforeAll(async () => {
  harness = await createTarget()
})
afterEach(async () => {
  for (const target of open.splice(0)) await target.cleanup()
})
afterAll(() => harness.drop())

async function given(wanted: Wanted = {}): Promise<UnderTest> {
  const target = await openTarget({ harness, ...wanted })
  open.push(target)
  return target
}

async function aligned(target: UnderTest): Promise<readonly string[]> {
  const outcome = await target.connector.align()
  if (outcome.outcome === 'failed') throw new Error(outcome.message)
  return outcome.changes
}

const orders = { schema: 'shop', tables: ['orders'], privileges: ['select'] }

describe('gives what is configured', () => {
  test.skipIf(isTargetBefore16())('on tables, columns, sequences and functions, and says it in words', async () => {
    const target = await given({
      roles: [
        roleOf('clerk', [
          { schema: 'shop', tables: ['orders'], privileges: ['select'] },
          { schema: 'shop', tables: ['customers'], privileges: ['select', 'update'], columns: ['id', 'email'] },
          { schema: 'shop', sequences: ['order_numbers'], privileges: ['usage'] },
          { schema: 'shop', functions: ['order_total_cents'], privileges: ['execute'] },
        ]),
      ],
    })
    const group = target.group('clerk')
    expect(await aligned(target)).toEqual([
      `make group role ${group}`,
      `make issuers, which make logins for the admin login: ${issuerNames(target.config).join(', ')}`,
      `let 32 issuers make members of ${group}`,
      `grant CONNECT on database ${harness.database} to ${group}`,
      `grant USAGE on schema shop to ${group}`,
      `grant SELECT on table shop.orders to ${group}`,
      `grant SELECT (id), SELECT (email), UPDATE (id), UPDATE (email) on table shop.customers to ${group}`,
      `grant USAGE on sequence shop.order_numbers to ${group}`,
      `grant EXECUTE on function shop.order_total_cents(integer) to ${group}`,
    ])
    expect(await aligned(target)).toEqual([])
  })

  test('on all tables that are there, and on a new one the next time', async () => {
    const target = await given({ roles: [roleOf('reader', [{ ...orders, tables: '*' }])] })
    await aligned(target)
    await target.ask(`SET ROLE ${harness.owner}; CREATE TABLE shop.returns (id int); RESET ROLE`)
    expect(await aligned(target)).toEqual([`grant SELECT on table shop.returns to ${target.group('reader')}`])
    await target.ask('DROP TABLE shop.returns')
    expect(await aligned(target)).toEqual([])
  })

  test('on the one of several functions whose arguments are written, and refuses to guess', async () => {
    await harnessOwner(
      'CREATE FUNCTION shop.f(a int) RETURNS int LANGUAGE sql RETURN 1; CREATE FUNCTION shop.f(a bigint, b text) RETURNS int LANGUAGE sql RETURN 2',
    )
    const call = (name: string) => roleOf('caller', [{ schema: 'shop', functions: [name], privileges: ['execute'] }])
    expect(await (await given({ roles: [call('f')] })).connector.align()).toMatchObject({
      cause: 'misconfigured',
      message: expect.stringContaining('there is f(bigint, text) and f(integer)') as string,
    })
    expect(await aligned(await given({ roles: [call('f(bigint,text)')] }))).toContainEqual(
      expect.stringContaining('shop.f(bigint,text)'),
    )
    await harnessOwner('DROP FUNCTION shop.f(int); DROP FUNCTION shop.f(bigint, text)')
  })

  test('in several databases, each its own', async () => {
    const second = `${harness.database}_second`
    const target = await given({
      config: { databases: [harness.database, second] },
      roles: [
        roleOf('one', [{ ...orders, database: harness.database }]),
        roleOf('both', [{ schema: 'public', tables: '*', privileges: ['select'] }]),
      ],
    })
    await target.ask(`CREATE DATABASE ${second} OWNER ${harness.owner}`)
    await target.in(second, `SET ROLE ${harness.owner}; CREATE TABLE public.t (id int)`)
    const changes = await aligned(target)
    expect(changes).toContain(`grant CONNECT on database ${second} to ${target.group('both')}`)
    expect(changes).toContain(`grant SELECT on table public.t to ${target.group('both')}`)
    expect(changes).not.toContain(`grant CONNECT on database ${second} to ${target.group('one')}`)
    expect(await aligned(target)).toEqual([])
    const outcome = await target.connector.open(newLease('one'))
    expect(outcome).toMatchObject({ credential: { databases: [harness.database] } })
    if (outcome.outcome === 'opened') await target.ask(`DROP ROLE "${outcome.credential.user}"`)
    await target.ask(`DROP DATABASE ${second} WITH (FORCE)`)
  })

  test.skipIf(isTargetBefore16())(
    'by membership in a role of the target, once a superuser lets the admin grant it',
    async () => {
      const target = await given({ roles: [roleOf('watcher', [{ memberOf: ['pg_monitor'] }])] })
      expect(await target.connector.align()).toMatchObject({
        outcome: 'failed',
        cause: 'refused',
        message: expect.stringContaining('GRANT pg_monitor TO') as string,
      })
      await target.ask(`GRANT pg_monitor TO ${harness.admin.user} WITH ADMIN OPTION, INHERIT FALSE, SET FALSE`)
      expect(await aligned(target)).toEqual([`make ${target.group('watcher')} a member of pg_monitor`])
      expect(await aligned(target)).toEqual([])
      const lease = newLease('watcher')
      const outcome = await target.connector.open(lease)
      if (outcome.outcome !== 'opened') throw new Error(outcome.message)
      const session = await target.loginAs(outcome.credential)
      expect((await session.query("SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS has")).rows).toEqual([
        { has: true },
      ])
      await session.end()
      await target.connector.close(lease.grant)
      await target.ask(`REVOKE pg_monitor FROM ${harness.admin.user} CASCADE`)
    },
  )
})

describe('takes what is not configured', () => {
  test.each([
    ['a privilege on a table', 'GRANT UPDATE ON shop.orders TO :group'],
    ['a privilege on a column', 'GRANT UPDATE (status) ON shop.orders TO :group'],
    ['the right to pass on', 'GRANT SELECT ON shop.orders TO :group WITH GRANT OPTION'],
    ['a privilege on a sequence', 'GRANT USAGE ON SEQUENCE shop.order_numbers TO :group'],
    ['a privilege on a function', 'GRANT EXECUTE ON FUNCTION shop.order_total_cents(int) TO :group'],
    ['CREATE on the schema', 'GRANT CREATE ON SCHEMA shop TO :group'],
    ['CREATE on the database', 'GRANT CREATE ON DATABASE :database TO :group'],
    [
      'a privilege on tables to come',
      'SET ROLE :owner; ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO :group; RESET ROLE',
    ],
    [
      'a privilege on all tables of a role to come',
      'SET ROLE :owner; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO :group; RESET ROLE',
    ],
    [
      'membership',
      'GRANT pg_monitor TO :admin WITH ADMIN OPTION; SET ROLE :admin; GRANT pg_monitor TO :group; RESET ROLE',
    ],
    ['a login', 'ALTER ROLE :group LOGIN'],
    ['ownership', 'ALTER TABLE shop.products OWNER TO :group'],
  ])('%s', async (_, text) => {
    const target = await given({ roles: [roleOf('reader', [orders])] })
    await aligned(target)
    await target.ask(written(target, text))
    expect(await aligned(target)).not.toEqual([])
    expect(await aligned(target)).toEqual([])
    await target.ask(`REVOKE pg_monitor FROM ${harness.admin.user} CASCADE`)
  })

  test('a privilege on the whole table where only columns are configured, and keeps those', async () => {
    const target = await given({ roles: [roleOf('reader', [{ ...orders, columns: ['id'] }])] })
    await aligned(target)
    await target.ask(written(target, 'GRANT SELECT ON shop.orders TO :group'))
    await aligned(target)
    const [row] = await target.ask(
      "SELECT has_table_privilege($1, 'shop.orders', 'SELECT') AS all, has_column_privilege($1, 'shop.orders', 'id', 'SELECT') AS id",
      [target.group('reader')],
    )
    expect(row).toEqual({ all: false, id: true })
  })

  test('ownership, after which the admin holds no more than before', async () => {
    const target = await given({ roles: [roleOf('reader', [orders])] })
    await aligned(target)
    const standing = async () => (await target.connector.survey()).filter(({ holder }) => holder === harness.admin.user)
    const before = (await standing()).map(({ what }) => what)
    await target.ask(written(target, 'ALTER TABLE shop.products OWNER TO :group'))
    expect(await aligned(target)).toContain(`hand what ${target.group('reader')} owns to ${harness.owner}`)
    expect((await standing()).map(({ what }) => what)).toEqual(before)
  })

  test('what was passed on by a holder', async () => {
    const target = await given({ roles: [roleOf('reader', [orders])] })
    await aligned(target)
    await target.ask(
      written(
        target,
        'GRANT SELECT ON shop.orders TO :group WITH GRANT OPTION; SET ROLE :group; GRANT SELECT ON shop.orders TO PUBLIC; RESET ROLE',
      ),
    )
    await aligned(target)
    expect(
      await target.ask(
        "SELECT FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_name = 'orders'",
      ),
    ).toEqual([])
  })

  test('or says what a superuser has to take', async () => {
    const target = await given({ roles: [roleOf('reader', [orders])] })
    await aligned(target)
    await target.ask(
      written(
        target,
        'CREATE TABLE public.foreign_owned (id int); GRANT SELECT ON public.foreign_owned TO :group; ALTER ROLE :group CREATEDB',
      ),
    )
    const outcome = await target.connector.align()
    expect(outcome).toMatchObject({ outcome: 'failed', cause: 'refused' })
    const message = 'message' in outcome ? outcome.message : ''
    expect(message).toContain('revoke SELECT on table public.foreign_owned')
    expect(message).toContain('CREATEDB')
    await target.ask('DROP TABLE public.foreign_owned')
  })
})

test('a table that is missing does not keep a privilege too many in place', async () => {
  const target = await given({ roles: [roleOf('reader', [orders, { ...orders, tables: ['no_such'] }])] })
  await target.connector.align()
  await target.ask(written(target, 'GRANT DELETE ON shop.orders TO :group'))
  expect(await target.connector.align()).toMatchObject({
    outcome: 'failed',
    notDone: false,
    cause: 'misconfigured',
    message: expect.stringContaining('has no table shop.no_such') as string,
  })
  expect(
    await target.ask("SELECT has_table_privilege($1, 'shop.orders', 'DELETE') AS has", [target.group('reader')]),
  ).toEqual([{ has: false }])
})

describe('a role that is no longer configured', () => {
  test('loses its privileges at once, and its group role when the last grant ends', async () => {
    const before = await given({ roles: [roleOf('reader', [orders]), roleOf('old', [orders])] })
    await aligned(before)
    const lease = newLease('old')
    await before.connector.open(lease)
    const { rolePrefix } = before.config
    const after = await given({ roles: [roleOf('reader', [orders])], config: { rolePrefix } })
    expect(await aligned(after)).toContain(`revoke SELECT on table shop.orders from ${rolePrefix}old`)
    expect(await aligned(after)).toEqual([])
    await after.connector.close(lease.grant)
    expect(await aligned(after)).toEqual([`drop group role ${rolePrefix}old`])
  })

  test.skipIf(isTargetBefore16())('is reported, if something keeps its group role from being dropped', async () => {
    const before = await given({ roles: [roleOf('old', [orders])] })
    await aligned(before)
    await before.ask(written(before, 'REVOKE :group FROM :admin CASCADE', 'old'))
    const after = await given({ roles: [roleOf('reader', [orders])], config: { rolePrefix: before.config.rolePrefix } })
    expect((await aligned(after)).at(-1)).toContain('could not be dropped')
    await before.ask(written(before, 'GRANT :group TO :admin WITH ADMIN OPTION', 'old'))
    expect(await aligned(after)).toEqual([`drop group role ${before.group('old')}`])
  })
})

test('what a holder makes a group promise to others changes nothing and does not keep the group from being dropped', async () => {
  const before = await given({ roles: [roleOf('old', [orders])] })
  await aligned(before)
  const lease = newLease('old')
  const outcome = await before.connector.open(lease)
  if (outcome.outcome !== 'opened') throw new Error(outcome.message)
  const session = await before.loginAs(outcome.credential)
  await session.query(`ALTER DEFAULT PRIVILEGES FOR ROLE "${before.group('old')}" GRANT SELECT ON TABLES TO PUBLIC`)
  await session.end()
  expect(await aligned(before)).toEqual([])
  await before.connector.close(lease.grant)
  const after = await given({ roles: [], config: { rolePrefix: before.config.rolePrefix } })
  expect((await aligned(after)).at(-1)).toBe(`drop group role ${before.group('old')}`)
})

test('a role of that name that is someone else’s is left alone', async () => {
  const target = await given({ roles: [roleOf('reader', [orders])] })
  const role = target.group('reader')
  await target.ask(`CREATE ROLE ${role} LOGIN`)
  expect(await target.connector.align()).toMatchObject({ outcome: 'failed', notDone: true, cause: 'misconfigured' })
  expect(await target.ask("SELECT has_table_privilege($1, 'shop.orders', 'SELECT') AS has", [role])).toEqual([
    { has: false },
  ])
  await target.ask(`DROP ROLE ${role}`)
})

test('two at once arrive at the same, if need be with one more call', async () => {
  const target = await given({ roles: [roleOf('reader', [{ ...orders, tables: '*' }])] })
  await Promise.all([target.connector.align(), target.connector.align()])
  await aligned(target)
  expect(await aligned(target)).toEqual([])
})

test('a function in a schema of the target’s never runs as the admin', async () => {
  const target = await given({ roles: [roleOf('reader', [orders])] })
  await target.ask(`CREATE TABLE public.ran (who name); GRANT ALL ON public.ran TO PUBLIC;
    CREATE FUNCTION public.starts_with(name, text) RETURNS boolean LANGUAGE sql AS 'INSERT INTO public.ran VALUES (current_user); SELECT true';
    GRANT CREATE ON SCHEMA public TO PUBLIC; ALTER ROLE ${harness.admin.user} SET search_path = public, pg_catalog`)
  await aligned(target)
  await target.connector.find()
  await target.connector.survey()
  expect(await target.ask('SELECT * FROM public.ran')).toEqual([])
  await target.ask(
    `ALTER ROLE ${harness.admin.user} RESET search_path; DROP FUNCTION public.starts_with(name, text); DROP TABLE public.ran; REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
  )
})

const written = (target: UnderTest, text: string, role = 'reader'): string =>
  text
    .replaceAll(':group', target.group(role))
    .replaceAll(':database', harness.database)
    .replaceAll(':owner', harness.owner)
    .replaceAll(':admin', harness.admin.user)

async function harnessOwner(text: string): Promise<void> {
  const target = await given()
  await target.ask(`SET ROLE ${harness.owner}; ${text}; RESET ROLE`)
}
