import { createServer, type AddressInfo } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTarget, type Target as Harness } from '../../../../tests/support/target.ts'
import { newGrant, newLease, openTarget, type Wanted } from '../testing/postgres-target.ts'
import { isTargetFault } from '../contract.ts'
import { failureOf, targetError } from './failure.ts'

let harness: Harness
beforeAll(async () => {
  harness = await createTarget()
})
afterAll(() => harness.drop())

/** What each verb says on such a target. */
async function answers(wanted: Wanted) {
  const target = await openTarget({ harness, ...wanted })
  const { connector } = target
  const faultOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => (isTargetFault(error) ? error.failure : error),
    )
  try {
    return [
      await connector.open(newLease('narrow')),
      await connector.close(newGrant()),
      await connector.align(),
      await faultOf(connector.find()),
      await faultOf(connector.survey()),
    ]
  } finally {
    await target.cleanup()
  }
}

const failed = (cause: string, words: string) => ({
  outcome: 'failed',
  notDone: true,
  cause,
  message: expect.stringContaining(words) as string,
})

describe('every verb says, with certainty that nothing was done,', () => {
  const secret = 'not-the-password'
  test.each<readonly [string, Wanted, string, string]>([
    ['that the password is wrong', { secret: async () => secret }, 'refused', 'connection.password'],
    ['that the user is unknown', { config: { user: 'nobody_here' } }, 'refused', 'connection.password'],
    ['that nothing listens there', { config: { port: 1 } }, 'unreachable', 'connection.port'],
    ['that the host is unknown', { config: { host: 'no-such-host.invalid' } }, 'unreachable', 'connection.host'],
    [
      'that the database is not there',
      { config: { databases: ['no_such_db'] } },
      'misconfigured',
      'connection.databases',
    ],
    ['that the target speaks no TLS', { config: { tls: 'verify-full' } }, 'refused', 'does not speak TLS'],
    [
      'that the secret is not there',
      { secret: () => Promise.reject(new Error(secret)) },
      'misconfigured',
      'connection.password',
    ],
    ['that the secret is empty', { secret: async () => '' }, 'misconfigured', 'connection.password'],
  ])('%s', async (_, wanted, cause, words) => {
    for (const answer of await answers(wanted)) {
      expect(answer).toEqual(failed(cause, words))
      expect(JSON.stringify(answer)).not.toMatch(/not-the-password|ADMIN_PASSWORD/)
    }
  })

  test('that the target takes a connection and then says nothing', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    const { port } = silent.address() as AddressInfo
    const limits = { connectTimeoutMs: 100, operationTimeoutMs: 150 }
    for (const answer of await answers({ config: { port }, limits })) {
      expect(answer).toMatchObject({ outcome: 'failed', notDone: true })
    }
    silent.close()
  })
})

test('an open for a role whose group is not there yet says how to make it', async () => {
  const target = await openTarget({ harness })
  expect(await target.connector.open(newLease('narrow'))).toEqual(failed('misconfigured', 'run tidegate apply'))
  expect(await target.connector.find()).toEqual([])
  await target.cleanup()
})

test('an open that waits for a lock on the target gives up in time', async () => {
  const target = await openTarget({ harness, limits: { operationTimeoutMs: 3_000, maxConnections: 1 } })
  await target.connector.align()
  const blocker = new pg.Client({ connectionString: harness.superuserUrl })
  await blocker.connect()
  const taken = newLease('narrow')
  await blocker.query(`BEGIN; CREATE ROLE "${target.config.rolePrefix}${taken.grant}"`)
  expect(await target.connector.open(taken)).toMatchObject({ outcome: 'failed' })
  await blocker.query('ROLLBACK')
  await blocker.end()
  const lease = newLease('narrow')
  expect(await target.connector.open(lease)).toMatchObject({ outcome: 'opened' })
  expect(await target.connector.close(lease.grant)).toMatchObject({ outcome: 'closed' })
  await target.cleanup()
})

test('an admin password that was rotated is picked up', async () => {
  let password = 'outdated'
  const target = await openTarget({ harness, secret: async () => password })
  await expect(target.connector.find()).rejects.toThrow('connection.password')
  password = harness.admin.password
  expect(await target.connector.find()).toEqual([])
  await target.cleanup()
})

test('connections that the target ended while they were idle are replaced', async () => {
  const target = await openTarget({ harness })
  await target.connector.find()
  const gone = new Promise<void>((resolve) => setImmediate(resolve))
  await target.ask('SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1', [
    harness.admin.user,
  ])
  await gone
  expect(await target.connector.find()).toEqual([])
  await target.cleanup()
})

test('never more connections than allowed, over all databases together', async () => {
  // Not template1: while someone is in it, nobody can make a database.
  const third = `${harness.database}_third`
  const databases = [harness.database, 'postgres', third]
  const target = await openTarget({ harness, limits: { maxConnections: 2 }, config: { databases } })
  await target.ask(`CREATE DATABASE ${third}`)
  const seen: number[] = []
  const watch = async () => {
    const [row] = await target.ask<{ count: number }>('SELECT count(*)::int FROM pg_stat_activity WHERE usename = $1', [
      harness.admin.user,
    ])
    seen.push(row?.count ?? 0)
  }
  await Promise.all([...Array.from({ length: 8 }, () => target.connector.survey()), watch(), watch()])
  await watch()
  expect(Math.max(...seen)).toBeLessThanOrEqual(2)
  await target.connector.end()
  await target.ask(`DROP DATABASE ${third}`)
  await target.cleanup()
})

test('after its end a connector has no connection left and opens none', async () => {
  const target = await openTarget({ harness })
  const running = target.connector.find()
  await target.connector.end()
  expect(await running).toEqual([])
  await expect(target.connector.find()).rejects.toThrow()
  await target.cleanup()
})

describe('a message', () => {
  const verifier = 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy'
  const answered = (code: string, message: string): pg.DatabaseError =>
    Object.assign(new pg.DatabaseError(message, 0, 'error'), { code, severity: 'ERROR' })

  test.each([
    answered('42601', `syntax error at or near "${verifier}"`),
    answered('42501', `no: '${verifier}'`),
    targetError('fault', `what about ${verifier}`),
  ])('never has a verifier in it', (error) => {
    const { message } = failureOf(error, false)
    expect(message).not.toContain('c3RvcmVk')
    expect(message).toContain('(verifier)')
  })

  test('of an error that nobody foresaw does not repeat what it said', () =>
    expect(failureOf(new Error('password=hunter2'), false).message).not.toContain('hunter2'))
})
