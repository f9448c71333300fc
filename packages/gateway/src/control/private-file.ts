/** Files that only this user can read, and that are there whole or not at all. */

import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../recording/sync-folder.ts'
import { GatewayRefusal } from './refusal.ts'

/** `undefined`: there is none. @throws GatewayRefusal for one that others can read */
export async function readPrivate(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      throw new GatewayRefusal(
        'setting',
        `The file ${path} can be read by others.`,
        `Run: chmod 600 ${path} — and think about whether it has leaked.`,
      )
    }
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Where there is one already, that one stays. Gives what is there then: two that start at once have the same. */
export async function makePrivate(path: string, text: string): Promise<string> {
  const draft = await writeDraft(path, text)
  try {
    await link(draft, path)
    await syncFolder(dirname(path))
    return text
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error
    return await readFile(path, 'utf8')
  } finally {
    await unlink(draft)
  }
}

/** In the place of what is there. */
export async function putPrivate(path: string, text: string): Promise<void> {
  await rename(await writeDraft(path, text), path)
  await syncFolder(dirname(path))
}

async function writeDraft(path: string, text: string): Promise<string> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  return draft
}

const systemCodeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
