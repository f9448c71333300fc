/** Programs of the machine that some tests use. Without one they are skipped, and say so; in CI that is a failure. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/**
 * Whether the tests that need it can run. Debian has a `pgbench` that only says that there is none, so it is tried.
 * @throws in CI, where everything must run
 */
export const hasProgram = (name: string, install: string): boolean =>
  isThere(spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0, name, install)

/** The same for what is not a program. Each of these files has to be there. */
export const hasFiles = (name: string, install: string, ...paths: readonly string[]): boolean =>
  isThere(paths.every(existsSync), name, install)

function isThere(found: boolean, ...[name, install]: readonly [string, string]): boolean {
  if (found) return true
  const line = `${name} is not on this machine: the tests with it are skipped. Install it with: ${install}`
  if (process.env['CI'] === 'true') throw new Error(line)
  process.stderr.write(`${line}\n`)
  return false
}
