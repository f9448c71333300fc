import { open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { hasCode } from './faults.ts'

/** What was asked of a file, or nothing where there is no such file. Every other failure stays one. */
export async function ifPresent<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

/** Writes a file that only we can read. It has the whole content or does not exist, also after a power failure. */
export async function writeWhole(path: string, content: string): Promise<void> {
  const draft = `${path}.tmp`
  await rm(draft, { force: true })
  await writeFile(draft, content, { mode: 0o600, flag: 'wx', flush: true })
  await rename(draft, path)
  await syncFolder(dirname(path))
}

/** A name in a folder survives a power failure only once the folder itself is on disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
