/** Files that hold what only their owner should read. */

import { randomUUID } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Failure } from './failure.ts'
import { limits } from './limits.ts'

const groupAndOthers = 0o077

/** `undefined` where there is none. Refuses one that others than its owner can read or write. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const handle = await openExisting(path)
  if (handle === undefined) return undefined
  try {
    // Asked of the open file, so that it cannot be swapped between the question and the reading.
    const { mode, size } = await handle.stat()
    if (process.platform !== 'win32' && (mode & groupAndOthers) !== 0) {
      throw new Failure('failure', `${path} can be read or written by others than its owner.`, {
        remedy: `Run \`chmod 600 ${path}\`, and get a new token if someone else may have read this one.`,
      })
    }
    if (size > limits.ownFileBytes) throw new Failure('failure', `${path} is larger than ${limits.ownFileBytes} bytes.`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}

/** Appears whole or not at all, readable by its owner alone from the first moment. */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const partial = `${path}.${randomUUID()}`
  try {
    await writeFile(partial, content, { mode: 0o600, flag: 'wx' })
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export const isMissing = (error: unknown): boolean => errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR'

/** Node's own, such as `ENOENT`. */
export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
