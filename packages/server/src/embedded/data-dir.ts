import { chmod, mkdir, realpath, stat } from 'node:fs/promises'
import type { Account } from './account.ts'
import { mayPass, whatBlocks } from './account.ts'
import { embeddedError } from './faults.ts'

/**
 * Makes the data folder, and answers its real path. It is ours; the account may pass through it to its database, and
 * not look around in it.
 * @throws EmbeddedError `data-dir-unreachable`
 */
export async function prepareDataDir(path: string, account: Account | undefined): Promise<string> {
  await mkdir(path, { recursive: true, mode: account === undefined ? 0o700 : 0o711 })
  const dataDir = await realpath(path)
  if (account === undefined) return dataDir
  await letThrough(dataDir, account)
  const blockedBy = await whatBlocks(account, dataDir)
  if (blockedBy === undefined) return dataDir
  throw embeddedError('data-dir-unreachable', { dataDir, account: account.name, blockedBy })
}

/** Adds what is missing and takes nothing away: the folder may have been there, and may have other uses. */
async function letThrough(dataDir: string, account: Account): Promise<void> {
  const { uid, gid, mode } = await stat(dataDir)
  const passable = mayPass(account, { path: dataDir, uid, gid, mode })
  if (!passable && uid === process.getuid?.()) await chmod(dataDir, (mode & 0o777) | 0o011)
}
