/** The certificate authority of a target, as a file, which is how programs take it. */

import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { writePrivateFile } from '../private-file.ts'
import { statePath } from '../settings.ts'
import type { Credential } from './open.ts'

/** Written for the time of `use`, and removed after it. */
export async function withAuthorityFile<T>(
  { temporary }: Pick<Context, 'temporary'>,
  { ca }: Pick<Credential, 'ca'>,
  use: (caFile: string | undefined) => Promise<T>,
): Promise<T> {
  if (ca === undefined) return use(undefined)
  const directory = await mkdtemp(join(temporary, 'tidegate-'))
  try {
    const file = join(directory, 'ca.pem')
    await writeFile(file, ca, { mode: 0o600, flag: 'wx' })
    return await use(file)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Kept under its own hash, for a URI that outlives this process. A certificate is no secret. */
export async function keepAuthorityFile(
  places: Pick<Context, 'env' | 'home'>,
  { ca }: Pick<Credential, 'ca'>,
): Promise<string | undefined> {
  if (ca === undefined) return undefined
  const file = join(statePath(places), 'ca', `${createHash('sha256').update(ca).digest('hex').slice(0, 32)}.pem`)
  await writePrivateFile(file, ca)
  return file
}
