/** A cluster of its own, with TLS on and prepared transactions allowed. */

import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Target as Harness } from '../../../../tests/support/target.ts'
import { startTargetPostgres, type TestPostgres } from '../../../../tests/support/embedded.ts'
import { newLease, openTarget, roleOf, type Wanted } from '../testing/postgres-target.ts'

const run = promisify(execFile)

let folder: string
let cluster: TestPostgres
let superuser: pg.Client
let harness: Harness

const roles = [roleOf('narrow', [{ schema: 'public', tables: '*', privileges: ['select'] }])]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidegate-tls-'))
  await chmod(folder, 0o711)
  await makeCertificates()
  const dataDir = join(folder, 'cluster')
  cluster = await startTargetPostgres({ dataDir, durable: false, settings: { max_prepared_transactions: '5' } })
  superuser = new pg.Client(cluster.connection)
  await superuser.connect()
  await turnTlsOn(join(dataDir, 'postgres'))
  harness = await makeTarget()
})

afterAll(async () => {
  await superuser.end()
  await cluster.stop()
  await rm(folder, { recursive: true })
})

async function makeCertificates(): Promise<void> {
  const openssl = (...words: readonly string[]) => run('openssl', [...words], { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  for (const ca of ['ca', 'other-ca']) {
    await openssl('req', '-x509', ...key, '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`)
  }
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-addext', 'subjectAltName=DNS:localhost']
  await openssl(
    'req',
    '-x509',
    ...key,
    ...signed,
    '-subj',
    '/CN=localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.crt',
  )
}

async function turnTlsOn(data: string): Promise<void> {
  const { uid, gid } = await stat(data)
  for (const name of ['server.key', 'server.crt']) {
    const file = join(data, name)
    await writeFile(file, await readFile(join(folder, name)), { mode: 0o600 })
    await chown(file, uid, gid)
  }
  await superuser.query('ALTER SYSTEM SET ssl = on')
  await superuser.query('SELECT pg_reload_conf()')
  // The signal to read the settings anew reaches other processes than this one first.
  const on = async () => (await superuser.query<{ ssl: string }>('SHOW ssl')).rows[0]?.ssl === 'on'
  while (!(await on())) await new Promise((resolve) => setImmediate(resolve))
}

async function makeTarget(): Promise<Harness> {
  await superuser.query(`CREATE ROLE keeper NOLOGIN`)
  await superuser.query(`CREATE ROLE admin LOGIN CREATEROLE PASSWORD 'admin-password'`)
  await superuser.query('GRANT keeper TO admin')
  await superuser.query('CREATE DATABASE orders OWNER keeper')
  return {
    host: 'localhost',
    port: cluster.connection.port,
    database: 'orders',
    owner: 'keeper',
    admin: { user: 'admin', password: 'admin-password' },
    superuserUrl: cluster.secretAdminUrl,
    drop: async () => undefined,
  }
}

const verified = (ca: string, host = 'localhost'): Wanted => ({
  harness,
  roles,
  config: { host, tls: 'verify-full', ca: `file:${ca}` },
  secret: async (reference) =>
    reference.startsWith('file:') ? readFile(join(folder, reference.slice(5)), 'utf8') : harness.admin.password,
})

describe('with verify-full', () => {
  test('a target with a certificate of that authority for that name is used, encrypted', async () => {
    const target = await openTarget(verified('ca.crt'))
    expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
    const encrypted = await target.ask(
      "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tidegate'",
    )
    expect(encrypted).toEqual([{ ssl: true }])
    const lease = newLease('narrow')
    const outcome = await target.connector.open(lease)
    if (outcome.outcome !== 'opened') throw new Error(outcome.message)
    const { host, port, user, secret, ca, tls } = outcome.credential
    expect(tls).toBe('verify-full')
    const holder = new pg.Client({ host, port, user, password: secret, database: 'orders', ssl: { ca: ca ?? '' } })
    await holder.connect()
    await holder.end()
    expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed' })
    await target.cleanup()
  })

  test.each([
    ['another authority', 'other-ca.crt', 'localhost', 'connection.ca'],
    ['another name', 'ca.crt', '127.0.0.1', 'for another name'],
    ['no certificate at all in ca', 'server.key', 'localhost', ''],
  ])('%s is refused before the password is sent', async (_, ca, host, words) => {
    const target = await openTarget(verified(ca, host))
    const outcome = await target.connector.open(newLease('narrow'))
    expect(outcome).toMatchObject({ outcome: 'failed', notDone: true, cause: 'refused' })
    expect('message' in outcome ? outcome.message : '').toContain(words)
    await target.cleanup()
  })
})

test('a prepared transaction of the holder is named, and the close goes on when it is gone', async () => {
  const target = await openTarget({ harness, roles, config: { host: '127.0.0.1' } })
  expect(await target.connector.align()).toMatchObject({ outcome: 'aligned' })
  const lease = newLease('narrow')
  const outcome = await target.connector.open(lease)
  if (outcome.outcome !== 'opened') throw new Error(outcome.message)
  const session = await target.loginAs(outcome.credential)
  await session.query("BEGIN; SELECT lo_create(0); PREPARE TRANSACTION 'it''s left'")
  expect(await target.connector.close(lease.grant)).toMatchObject({
    outcome: 'failed',
    cause: 'refused',
    message: expect.stringContaining("ROLLBACK PREPARED 'it''s left' in orders") as string,
  })
  await expect(target.loginAs(outcome.credential)).rejects.toThrow('not permitted to log in')
  await target.in('orders', "ROLLBACK PREPARED 'it''s left'")
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed', existed: true })
  await target.cleanup()
})
