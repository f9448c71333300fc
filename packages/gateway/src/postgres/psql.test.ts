/** The real psql and pgbench through the gateway, to a real PostgreSQL. */

import { expect, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { hasProgram } from '../../../../tests/support/programs.ts'
import { startGatewayForTest, type TestGateway, testUser, untilAsleep } from './testing/gateway.ts'
import { run, runPsql } from './testing/psql.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')
const hasPgbench = hasProgram('pgbench', 'apt-get install postgresql-contrib')

test.skipIf(!hasPsql)('psql logs in with its token and gets its answer', async () => {
  const world = await startGatewayForTest()
  const ran = await runPsql(world, ['-Atc', 'select 6 * 7'])
  expect(ran).toEqual({ code: 0, stdout: '42\n', stderr: '' })
  expect(world.recorder().texts()).toEqual(['select 6 * 7'])
  expect(world.recorder().of('result')).toMatchObject([{ statement: 1, rows: 1, tag: 'SELECT 1' }])
})

test.skipIf(!hasPsql)('psql copies in and out, uses cursors, sees errors and goes on', async () => {
  const world = await startGatewayForTest()
  const script = [
    'create table t (a int, b text);',
    '\\copy t from stdin',
    '1\tone',
    '2\ttwo',
    '\\.',
    'select wrong;',
    '\\set FETCH_COUNT 1',
    'select * from t order by a;',
    '\\copy t to stdout',
    '\\d t',
  ]
  const ran = await runPsql(world, ['-At', '-v', 'VERBOSITY=sqlstate'], { input: `${script.join('\n')}\n` })
  expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('42703') })
  expect(ran.stdout).toBe('CREATE TABLE\nCOPY 2\n1|one\n2|two\n1\tone\n2\ttwo\na|integer|||\nb|text|||\n')
})

test.skipIf(!hasPsql)('Ctrl-C in psql cancels its statement, and psql goes on', async () => {
  const world = await startGatewayForTest()
  const argv = ['-At', '-c', 'select pg_sleep(60)', '-c', 'select 1']
  const ran = await runPsql(world, argv, {
    started: (child) =>
      void (async () => {
        await untilAsleep(world)
        child.kill('SIGINT')
      })(),
  })
  expect(ran.stderr).toContain('canceling statement due to user request')
  expect(world.recorder().of('cancel')).toHaveLength(1)
})

test.skipIf(!hasPsql)('psql with a wrong token is told what PostgreSQL would tell it', async () => {
  const world = await startGatewayForTest()
  const ran = await runPsql(world, ['-c', 'select 1'], { env: { PGPASSWORD: 'wrong' } })
  expect(ran.code).toBe(2)
  expect(ran.stderr).toContain('password authentication failed for user "alice"')
})

test.skipIf(!hasPsql)('psql prints why its session ended', async () => {
  const world = await startGatewayForTest()
  const ran = await runPsql(world, ['-c', 'select pg_sleep(60)'], {
    started: () =>
      void (async () => {
        await untilAsleep(world)
        await world.gateway.end('ses_1', 'access was revoked by user:bob')
      })(),
  })
  expect(ran.stderr).toContain('FATAL:  access was revoked by user:bob (grant grt_')
})

async function pgbench({ host, port }: TestGateway, argv: readonly string[]) {
  const env = { PGHOST: host, PGPORT: String(port), PGUSER: testUser.user, PGPASSWORD: testUser.password }
  return run('pgbench', [...argv, testUser.database], { env: { ...env, PGSSLMODE: 'disable' } })
}

test.skipIf(!hasPgbench)('pgbench runs in all its protocols, with several clients', async () => {
  const world = await startGatewayForTest()
  const made = await pgbench(world, ['-i', '-s', '1', '-q'])
  expect(made).toMatchObject({ code: 0 })
  for (const protocol of ['simple', 'extended', 'prepared']) {
    const ran = await pgbench(world, ['-M', protocol, '-c', '4', '-t', '25', '-n'])
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('processed: 100/100') })
  }
  const { rows } = await withClient(world.database.connection, (client) =>
    client.query('select count(*)::int as n from pgbench_history'),
  )
  expect(rows).toEqual([{ n: 300 }])
  const copied = world.recorders[0]!.of('result').find(({ tag }) => tag?.startsWith('COPY'))
  expect(copied).toMatchObject({ rows: 100_000 })
})
