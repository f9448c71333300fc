/** The real thing: a process of its own, with real signals. */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Handlers } from './testing/api-server.ts'
import { startApiServer } from './testing/api-server.ts'
import { writeProgram } from './testing/programs.ts'
import { activeGrant, credentialOf, endedGrant, grantOf, me, requestOf, secret, token } from './testing/things.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))

async function start(handlers: Handlers, body: string) {
  const server = await startApiServer(handlers)
  onTestFinished(server.close)
  const home = await mkdtemp(join(tmpdir(), 'tidegate-cli-main-'))
  onTestFinished(async () => rm(home, { recursive: true, force: true }))
  const program = await writeProgram(home, 'task', body)
  const run = (...argv: string[]) => {
    const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', main, ...argv], {
      env: { PATH: process.env['PATH'], HOME: home, TIDEGATE_URL: server.url, TIDEGATE_TOKEN: token },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const printed = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => (printed.stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (printed.stderr += String(chunk)))
    const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
    return { child, exit, printed }
  }
  return { run, program, server }
}

const granted: Handlers = {
  whoami: () => me,
  listGrants: () => ({ items: [] }),
  listRequests: () => ({ items: [] }),
  createRequest: () => requestOf(),
  getGrant: () => grantOf(),
  activateGrant: () => ({ grant: activeGrant(), credential: credentialOf() }),
  endGrant: () => endedGrant(),
}

const exec = ['exec', 'orders-db/readonly', '--reason', 'Migration 42', '--']

describe('tidegate as a process', () => {
  it('passes on the output and the exit code of a task, and prints no secret', async () => {
    const { run, program, server } = await start(granted, "process.stdout.write('rows'); process.exitCode = 9")
    const { exit, printed } = run(...exec, program.file)
    expect(await exit).toBe(9)
    expect(printed.stdout).toBe('rows')
    expect(printed.stderr).toContain('Granted: orders-db/readonly')
    expect(printed.stderr).not.toContain(secret)
    expect(server.calls.at(-1)?.operation).toBe('endGrant')
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'killed with %s, stops its task and ends the grant',
    async (signal) => {
      const { run, program, server } = await start(granted, 'setInterval(() => {}, 1000); save()')
      const { child, exit } = run(...exec, program.file)
      await program.started()
      child.kill(signal)
      expect(await exit).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal])
      expect(server.callsOf('endGrant')).toHaveLength(1)
    },
  )

  it('does not mind a reader that has seen enough', async () => {
    const items = Array.from({ length: 500 }, (_, i) => grantOf({ id: `grt_${i}` }))
    const { run } = await start({ listGrants: () => ({ items }) }, '')
    const { child, exit, printed } = run('grants', '--all', '--limit', '500')
    child.stdout.destroy()
    expect(await exit).toBe(0)
    expect(printed.stderr).toBe('')
  })
})
