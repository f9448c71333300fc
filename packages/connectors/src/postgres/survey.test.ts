import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newLease, openTarget, type UnderTest } from '../testing/postgres-target.ts'
import type { StandingPrivilege } from '../contract.ts'

const name = (what: string): string => `${what}_${randomBytes(4).toString('hex')}`
const roles = {
  root: name('root'),
  maker: name('maker'),
  analyst: name('analyst'),
  team: name('team'),
  guest: name('guest'),
}

let target: UnderTest
let standing: readonly StandingPrivilege[]

beforeAll(async () => {
  target = await openTarget()
  await target.connector.align()
  await target.ask(`
    CREATE ROLE ${roles.root} LOGIN SUPERUSER;
    CREATE ROLE ${roles.maker} LOGIN CREATEROLE CREATEDB REPLICATION BYPASSRLS VALID UNTIL '2030-01-01';
    CREATE ROLE ${roles.team} NOLOGIN; GRANT pg_read_all_data TO ${roles.team};
    CREATE ROLE ${roles.analyst} LOGIN; GRANT ${roles.team} TO ${roles.analyst};
    CREATE ROLE ${roles.guest} LOGIN VALID UNTIL '2030-01-01';
    GRANT SELECT ON ALL TABLES IN SCHEMA shop TO ${roles.analyst};
    GRANT UPDATE (status) ON shop.orders TO ${roles.analyst};
    GRANT SELECT ON shop.products TO PUBLIC;
    GRANT "${target.group('wide')}" TO ${roles.guest}`)
  standing = await target.connector.survey()
})

afterAll(async () => {
  for (const role of Object.values(roles)) await target.ask(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  await target.cleanup()
})

const of = (holder: string): readonly string[] =>
  standing.filter((one) => one.holder === holder).map(({ kind, what, risk }) => `${kind}: ${what} (${risk})`)

test('a superuser, in one line and not in all that follows from it', () =>
  expect(of(roles.root)).toEqual([
    'superuser: superuser (admin)',
    'password-never-expires: may log in, and its password never expires (low)',
  ]))

test('attributes, and a password that does expire is no matter', () =>
  expect(of(roles.maker)).toEqual([
    'role-attribute: CREATEROLE (admin)',
    'role-attribute: REPLICATION (admin)',
    'role-attribute: BYPASSRLS (elevated)',
    'role-attribute: CREATEDB (elevated)',
  ]))

test('memberships, direct and through others, and direct grants summed up by schema', () =>
  expect(of(roles.analyst)).toEqual([
    'password-never-expires: may log in, and its password never expires (low)',
    `membership: member of pg_read_all_data through ${roles.team} (elevated)`,
    'direct-grant: SELECT on 3 tables in shop (customers, order_items, products) (low)',
    'direct-grant: SELECT, UPDATE (columns) on table shop.orders (elevated)',
    'direct-grant: SELECT on view shop.open_orders (low)',
  ]))

test('what everyone has', () => expect(of('PUBLIC')).toContain('direct-grant: SELECT on table shop.products (low)'))

test('who is a member of one of our groups by another hand', () =>
  expect(of(roles.guest)).toEqual([`membership: member of ${target.group('wide')} (elevated)`]))

test('owners', () =>
  expect(of(target.harness.owner)).toContain(
    'ownership: owns 4 tables in shop (customers, order_items, orders, products) (elevated)',
  ))

test('our own admin login, honestly, and that it is there right now', () => {
  const admin = target.harness.admin.user
  expect(of(admin)).toEqual([
    'role-attribute: CREATEROLE (admin)',
    'password-never-expires: may log in, and its password never expires (low)',
    `membership: member of ${target.harness.owner} (elevated)`,
  ])
  const seen = standing.find(({ holder }) => holder === admin)?.lastSeenAt
  expect(Math.abs((seen ?? 0) - Date.now())).toBeLessThan(60_000)
})

test('no group role and no login of ours, not even while one is half closed', async () => {
  const lease = newLease('narrow')
  await target.connector.open(lease)
  target.faults.arm({ when: 'after', nth: 3 })
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'failed' })
  target.faults.arm()
  const lines = (await target.connector.survey()).flatMap(({ holder, what }) => [holder, what])
  expect(lines.filter((line) => line.includes(`${target.config.rolePrefix}grt_`))).toEqual([])
  expect(lines.filter((line) => line === target.group('narrow'))).toEqual([])
  expect(of(target.harness.admin.user)).toHaveLength(3)
  await target.connector.close(lease.grant)
})

test('changes nothing', async () => {
  const roleCount = 'SELECT count(*) FROM pg_roles WHERE starts_with(rolname::text, $1)'
  const before = await target.ask(roleCount, [target.config.rolePrefix])
  await target.connector.survey()
  expect(await target.ask(roleCount, [target.config.rolePrefix])).toEqual(before)
})
