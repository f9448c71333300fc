import { ApiError } from '@tidegate/api'
import pg from 'pg'
import { expect, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { clusterOf } from '../../../../tests/support/databases.ts'
import { toApiError } from './faults.ts'

const sqlState = (code: string) => Object.assign(new pg.DatabaseError('broken', 1, 'error'), { code })
const codeOf = (error: unknown) => toApiError(error)?.code

test('an error of the table is itself', () => {
  const error = new ApiError('grant-ended', { detail: 'It ended.' })
  expect(toApiError(error)).toBe(error)
})

test.each([
  ['08006', 'the connection failed'],
  ['53300', 'there are too many connections'],
  ['53100', 'its disk is full'],
  ['57P01', 'it is shutting down'],
  ['57P03', 'it is starting'],
  ['58030', 'it cannot read its files'],
  ['25006', 'it is a replica now'],
  ['40001', 'it could not serialise'],
  ['40P01', 'it broke a deadlock'],
  ['55P03', 'a lock was not to be had'],
  ['57014', 'a statement took too long'],
  ['25P03', 'a transaction was idle for too long'],
])('SQLSTATE %s, %s: the store is unavailable, and trying again is right', (code) => {
  expect(codeOf(sqlState(code))).toBe('unavailable')
})

test.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EHOSTUNREACH'])(
  'a socket that says %s: the store is unavailable',
  (code) => {
    expect(codeOf(Object.assign(new Error('no'), { code }))).toBe('unavailable')
  },
)

test.each(['23505', '23514', '23503', '42P01', '42601', '22P02', '28P01', '3D000', '25001'])(
  'SQLSTATE %s is a defect of ours, and no error of the table',
  (code) => {
    expect(toApiError(sqlState(code))).toBeUndefined()
  },
)

test('a session that is ended by its server leaves the store unavailable', async () => {
  const client = new pg.Client({ ...clusterOf('store') })
  const errors: unknown[] = []
  client.on('error', (error) => errors.push(error))
  await client.connect()
  const { rows } = await client.query('select pg_backend_pid() as pid')
  const cut = client.query('select pg_sleep(60)').catch((error: unknown) => error)
  await withClient(clusterOf('store'), (other) => other.query('select pg_terminate_backend($1)', [rows[0].pid]))
  expect(codeOf(await cut)).toBe('unavailable')
  expect(codeOf(await client.query('select 1').catch((error: unknown) => error))).toBe('unavailable')
})

test('a pool that gets no connection in time leaves the store unavailable', async () => {
  const pool = new pg.Pool({ ...clusterOf('store'), max: 1, connectionTimeoutMillis: 1_000 })
  const held = await pool.connect()
  expect(codeOf(await pool.connect().catch((error: unknown) => error))).toBe('unavailable')
  held.release()
  await pool.end()
})

test('a store that nothing listens for is unavailable, with the cause for the log', async () => {
  const error: unknown = await new pg.Client({ host: '127.0.0.1', port: 1 }).connect().catch((e: unknown) => e)
  expect(toApiError(error)).toMatchObject({ code: 'unavailable', cause: error })
})

test.each([
  [{ code: 'FST_ERR_CTP_BODY_TOO_LARGE' }, 'body-too-large'],
  [{ statusCode: 413 }, 'body-too-large'],
  [{ statusCode: 400 }, 'not-json'],
  [{ statusCode: 415 }, 'not-json'],
])('what the HTTP library refuses with %j is %s', (members, code) => {
  expect(codeOf(Object.assign(new Error('refused'), members))).toBe(code)
})

test.each([new Error('a defect'), new TypeError('x is not a function'), 'a word', 17, null, undefined, {}])(
  'anything else is not of the table: %s',
  (thrown) => {
    expect(toApiError(thrown)).toBeUndefined()
  },
)
