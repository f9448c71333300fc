/** The real command line with the real psql, as separate processes. */

import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { hasProgram } from './support/programs.ts'
import type { World } from './support/tidegate.ts'
import { createWorldForTest } from './support/tidegate.ts'

const hasPsql = hasProgram('psql', 'apt-get install postgresql-client')

type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

function tidegate({ server, tokenOf }: World, argv: readonly string[], input = ''): Promise<Ran> {
  const env = { ...process.env, TIDEGATE_URL: server.url, TIDEGATE_TOKEN: tokenOf('alice'), NO_COLOR: '1' }
  const child = spawn(process.execPath, ['packages/cli/bin/tidegate.js', ...argv], { env })
  const read = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (read.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (read.stderr += chunk.toString()))
  child.stdin.end(input)
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...read })))
}

const running = { background: true, time: 'system' } as const

test.skipIf(!hasPsql)('exec gives psql the credential, and the grant ends with the command', async () => {
  const world = await createWorldForTest(running)
  const sql = 'select current_user, count(*) > 0 from shop.orders'
  const argv = ['exec', 'orders-db/readonly', '--reason', 'A report', '--', 'psql', '-At', '-c', sql]
  const ran = await tidegate(world, argv)
  expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/grt_\w{26}\|t\n$/) })
  const { items } = await world.as('alice').listGrants({})
  expect(items).toHaveLength(1)
  expect(items[0]).toMatchObject({ end: { reason: 'task-ended', by: 'user:alice' } })
})

test.skipIf(!hasPsql)('what psql exits with is what exec exits with', async () => {
  const world = await createWorldForTest(running)
  const argv = [
    'exec',
    'orders-db/readonly',
    '--reason',
    'A slip',
    '--',
    'psql',
    '-v',
    'ON_ERROR_STOP=1',
    '-c',
    'delete from shop.orders',
  ]
  const ran = await tidegate(world, argv)
  expect(ran.code).toBe(1)
  expect(ran.stderr).toContain('permission denied')
})

test.skipIf(!hasPsql)(
  'connect runs psql on what is typed, and ends the grant when nobody is there to be asked',
  async () => {
    const world = await createWorldForTest(running)
    const ran = await tidegate(
      world,
      ['connect', 'orders-db/readonly', '--reason', 'A look'],
      'select 6 * 7 as answer;\n',
    )
    expect(ran.code).toBe(0)
    expect(ran.stdout).toContain('42')
    const { items } = await world.as('alice').listGrants({})
    expect(items[0]?.end?.reason).toBe('done')
  },
)
