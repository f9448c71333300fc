/** The real psql, as a process of its own. */

import { type ChildProcess, spawn } from 'node:child_process'
import type { TestGateway } from './gateway.ts'
import { testUser } from './gateway.ts'

export type Ran = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly started?: (child: ChildProcess) => void
}

export function runPsql({ host, port }: TestGateway, argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const env = {
    ...process.env,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: testUser.user,
    PGPASSWORD: testUser.password,
    PGDATABASE: testUser.database,
    PGSSLMODE: 'disable',
    PGCLIENTENCODING: 'UTF8',
    ...options.env,
  }
  return run('psql', ['-X', ...argv], { ...options, env })
}

export function run(program: string, argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = spawn(program, argv, { env: { ...process.env, ...options.env } })
  const read = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (read.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (read.stderr += chunk.toString()))
  child.stdin.end(options.input ?? '')
  options.started?.(child)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, ...read }))
  })
}
