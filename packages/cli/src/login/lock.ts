/** One process at a time: a file that only one can make, and that says which. */

import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Context } from '../context.ts'
import { patience } from '../limits.ts'
import { errorCode } from '../private-file.ts'
import { statePath } from '../settings.ts'

/** What is kept of a login is changed by one process at a time. */
export const withLoginLock = <T>(context: Context, work: () => Promise<T>): Promise<T> =>
  withLock(context, join(statePath(context), 'login.lock'), work)

/**
 * Whoever died with it in hand holds up nobody, and whoever does not come to an end holds up the others for a while, and no
 * longer: then two may do it at once, which the server takes as one having asked twice.
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
    await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

/** By the clock of the files themselves. */
async function isLeft(path: string): Promise<boolean> {
  const made = await stat(path).catch(() => undefined)
  if (made !== undefined && Date.now() - made.mtimeMs > patience.lockMs) return true
  const holder = Number(await readFile(path, 'utf8').catch(() => ''))
  return holder > 0 && !isAlive(holder)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // Of someone else: it is there.
    return errorCode(error) !== 'ESRCH'
  }
}
