import { Writable } from 'node:stream'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { withClient } from '../../../tests/support/clients.ts'
import { clusterOf } from '../../../tests/support/databases.ts'
import { createLogger } from './logger.ts'

function captured(level = 'info') {
  const lines: string[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  return { log: createLogger(level, destination), lines, last: () => JSON.parse(lines.at(-1) ?? '{}') }
}

const names = ['secret', 'password', 'token', 'authorization', 'verifier', 'connectionString', 'secretUrl', 'key']

test.each(names)('what is called %s is left out, alone and two levels down', (name) => {
  const { log, lines } = captured()
  log.info({ [name]: 'hunter2', inner: { [name]: 'hunter2', innermost: { [name]: 'hunter2' } } }, 'a line')
  expect(lines[0]).not.toContain('hunter2')
  expect(lines[0]?.match(/\[left out\]/g)).toHaveLength(3)
})

test('the headers of a call are written without who called', () => {
  const { log, lines } = captured()
  log.info({ req: { headers: { authorization: 'Bearer tdg_hunter2', accept: '*/*' } } }, 'a call')
  expect(lines[0]).not.toContain('hunter2')
  expect(lines[0]).toContain('*/*')
})

test('an error of the database is written with its code and message, and without the data in its detail', async () => {
  const { log, last, lines } = captured()
  await withClient(clusterOf('store'), async (client) => {
    await client.query('create temporary table person (email text primary key)')
    await client.query("insert into person values ('alice@example.com')")
    const error: unknown = await client
      .query("insert into person values ('alice@example.com')")
      .catch((e: unknown) => e)
    expect((error as pg.DatabaseError).detail).toContain('alice@example.com')
    log.error({ err: error }, 'not saved')
  })
  expect(lines[0]).not.toContain('alice@example.com')
  expect(last().err).toMatchObject({ code: '23505', message: expect.stringContaining('person_pkey') })
  expect(Object.keys(last().err).toSorted()).toEqual(['code', 'message', 'stack', 'type'])
})

test('what an error carries beside its message is left out, and so is what its causes carry', () => {
  const { log, last, lines } = captured()
  const inner = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', url: 'postgres://u:hunter2@db' })
  log.error({ err: new Error('no store', { cause: inner }) }, 'not started')
  expect(last().err).toMatchObject({ message: 'no store', cause: { message: 'refused', code: 'ECONNREFUSED' } })
  expect(lines[0]).not.toContain('hunter2')
})

test('what was thrown and is no error is not written at all', () => {
  const { log, last, lines } = captured()
  log.error({ err: 'hunter2' }, 'thrown')
  log.error({ err: { password: 'x', other: 'hunter2' } }, 'thrown')
  expect(lines.join('')).not.toContain('hunter2')
  expect(last().err).toEqual({ type: 'object', message: 'not an error' })
})

test('below its level nothing is written', () => {
  const { log, lines } = captured('warn')
  log.info('a word')
  log.warn('another')
  expect(lines).toHaveLength(1)
})
