/** One process at a time: a file that only one can make. */

import { mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Context } from '../context.ts'
import { patience } from '../limits.ts'
import { errorCode } from '../private-file.ts'
import { statePath } from '../settings.ts'

/** What is kept of a login is changed by one process at a time. */
export const withLoginLock = <T>(context: Context, work: () => Promise<T>): Promise<T> =>
  withLock(context, join(statePath(context), 'login.lock'), work)

/**
 * Whoever dies with it in hand holds up the others for a while, and no longer: then two may do it at once, which the
 * server takes as one having asked twice.
 */
async function withLock<T>({ sleep }: Pick<Context, 'sleep'>, path: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  while (!(await take(path))) {
    if (await isLeft(path)) await rm(path, { force: true })
    else await sleep(patience.lockPollMs)
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx', 0o600)).close()
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

/** By the clock of the files themselves. */
async function isLeft(path: string): Promise<boolean> {
  const made = await stat(path).catch(() => undefined)
  return made !== undefined && Date.now() - made.mtimeMs > patience.lockMs
}
