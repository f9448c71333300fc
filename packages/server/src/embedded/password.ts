import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedError } from './faults.ts'
import { ifPresent, writeWhole } from './files.ts'
import { passwordSizeBytes } from './limits.ts'

/**
 * The superuser's password, from `<dataDir>/superuser-password`, which is made when there is no database yet. `cluster`
 * is the database's folder, if it has one.
 * @throws EmbeddedError `password-missing`
 */
export async function providePassword(dataDir: string, cluster: string | undefined): Promise<string> {
  const path = join(dataDir, 'superuser-password')
  const kept = await ifPresent(readFile(path, 'utf8'))
  if (kept !== undefined) return kept.trim()
  if (cluster !== undefined) throw embeddedError('password-missing', { path, folder: cluster })
  const password = randomBytes(passwordSizeBytes).toString('hex')
  await writeWhole(path, `${password}\n`)
  return password
}
