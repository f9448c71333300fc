/** Programs of the machine that some tests use. Without one they are skipped, and say so; in CI that is a failure. */

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether the tests that need it can run. @throws in CI, where everything must run */
export function hasProgram(name: string, install: string): boolean {
  const found = (process.env['PATH'] ?? '').split(delimiter).some((folder) => isExecutable(join(folder, name)))
  if (found) return true
  const line = `${name} is not on this machine: the tests with it are skipped. Install it with: ${install}`
  if (process.env['CI'] === 'true') throw new Error(line)
  process.stderr.write(`${line}\n`)
  return false
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
