import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { roleOf } from '../testing/postgres-target.ts'
import { configSchema } from './config.ts'
import { postgres } from './kind.ts'
import { privilegesSchema, roleProblems } from './privileges.ts'

const least = {
  host: 'db.example.com',
  databases: ['orders'],
  user: 'tidegate',
  password: 'env:DB',
  owner: 'orders_owner',
}

const complaints = (schema: z.ZodType, value: unknown): string =>
  (schema.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')

describe('connection', () => {
  test('verifies the target unless told otherwise, and pins what an unqualified name means', () =>
    expect(configSchema.parse(least)).toEqual({
      ...least,
      port: 5432,
      tls: 'verify-full',
      rolePrefix: 'tidegate_',
      connectionLimit: 5,
      searchPath: ['public'],
    }))

  test.each([
    ['a password that is not a reference', { password: 'hunter2' }, 'password: password has to be a reference'],
    ['a certificate that is not a reference', { ca: '-----BEGIN' }, 'ca: ca has to be a reference'],
    ['encryption without verification', { tls: 'require' }, "tls: tls has to be 'verify-full'"],
    ['no database', { databases: [] }, 'databases: name at least one'],
    ['a database twice', { databases: ['a', 'a'] }, 'databases: a name stands here twice'],
    ['a field it does not know', { sslmode: 'prefer' }, 'sslmode'],
    ['a socket as the host', { host: '/var/run' }, 'host: host has to be a host name or an IP address'],
    ['a host with a port', { host: 'db:5432/x' }, 'host: '],
    ['$user in the search path', { searchPath: ['$user'] }, 'searchPath: searchPath has to name schemas'],
    ['a prefix that is too long', { rolePrefix: 'a'.repeat(21) }, 'rolePrefix: rolePrefix has to be at most 20'],
    ['a prefix with a quote', { rolePrefix: 't";DROP ROLE x;--' }, 'rolePrefix: rolePrefix has to begin with'],
    ['a prefix of PostgreSQL’s own', { rolePrefix: 'pg_t' }, 'rolePrefix: rolePrefix cannot begin with pg_'],
    ['an owner that would be cut', { owner: 'é'.repeat(32) }, 'owner: this name is longer than 63 bytes'],
    ['a name with a NUL', { user: 'a\0' }, 'user: this name has a NUL in it'],
  ])('refuses %s, and says where', (_, change, message) =>
    expect(complaints(configSchema, { ...least, ...change })).toContain(message),
  )

  test('never repeats a password that was written into it', () =>
    expect(complaints(configSchema, { ...least, password: 'hunter2' })).not.toContain('hunter2'))

  test('has the same key for the same target and prefix only', () => {
    const key = (change: object) => postgres.targetKey(configSchema.parse({ ...least, ...change }))
    expect(key({ host: 'DB.example.COM' })).toBe(key({}))
    expect(new Set([key({}), key({ port: 5433 }), key({ rolePrefix: 'other_' }), key({ host: 'db2' })]).size).toBe(4)
  })
})

describe('privileges', () => {
  test.each([
    ['nothing', [], 'privileges has to have at least one item'],
    ['an item of no form', [{ schema: 'shop' }], 'an item has to have one of tables, sequences, functions'],
    [
      'a privilege that a table does not have',
      [{ schema: 's', tables: '*', privileges: ['execute'] }],
      'privileges has to be out of select, insert',
    ],
    [
      'columns of all tables',
      [{ schema: 's', tables: '*', privileges: ['select'], columns: ['a'] }],
      'columns goes with named tables',
    ],
    [
      'delete on columns',
      [{ schema: 's', tables: ['t'], privileges: ['delete'], columns: ['a'] }],
      'delete cannot be given on columns',
    ],
    ['a form mixed of two', [{ schema: 's', tables: '*', sequences: '*', privileges: ['select'] }], 'sequences'],
    ['a misspelt key', [{ schema: 's', tables: '*', privilege: ['select'] }], 'privilege'],
  ])('refuse %s', (_, value, message) => expect(complaints(privilegesSchema, value)).toContain(message))

  const config = configSchema.parse(least)
  const read = [{ schema: 'shop', tables: '*', privileges: ['select'] }]

  test.each([
    ['a name that could pass for a grant', roleOf('grt_x', read), "would pass for a role of Tidegate's own"],
    ['a name that would be cut', roleOf('r'.repeat(60), read), 'is longer than 63 bytes'],
    [
      'a database that is not configured',
      roleOf('r', [{ ...read[0], database: 'else' }]),
      'database else is not one of connection.databases',
    ],
    [
      'the programs of the server for a role that is not admin',
      roleOf('r', [{ memberOf: ['pg_execute_server_program'] }], 'elevated'),
      'as good as superuser',
    ],
    ['membership in Tidegate’s own', roleOf('r', [{ memberOf: ['tidegate_x'] }]), "Tidegate's own prefix"],
  ])('have a problem with %s', (_, role, message) => expect(roleProblems(config, [role]).join('\n')).toContain(message))

  test('have none with the files of the server for an admin role', () =>
    expect(roleProblems(config, [roleOf('r', [{ memberOf: ['pg_read_server_files'] }], 'admin')])).toEqual([]))
})
