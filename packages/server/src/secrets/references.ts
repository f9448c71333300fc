/**
 * Secret references in configuration: `env:NAME` and `file:PATH`. Whoever writes configuration chooses where the
 * value is sent, so a reference may only name what was put there for this purpose: not Tidegate's own secrets, and no
 * file outside the secrets folder.
 */

import { readFile, realpath } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'

export type ReferenceSources = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where `file:` references live; relative ones are resolved here. */
  readonly secretsDir: string
}

const maxBytes = 64 * 1024

/** @throws with a message that names the reference and never the value */
export async function resolveReference(reference: string, sources: ReferenceSources): Promise<string> {
  const [scheme, rest] = split(reference)
  if (scheme === 'env') return fromEnv(rest, sources.env)
  if (scheme === 'file') return fromFile(rest, sources.secretsDir)
  // Not repeated: whoever writes no reference may have written the secret itself.
  throw new Error('A secret reference is neither env:NAME nor file:PATH.')
}

function split(reference: string): [string, string] {
  const colon = reference.indexOf(':')
  return [reference.slice(0, colon), reference.slice(colon + 1)]
}

function fromEnv(name: string, env: ReferenceSources['env']): string {
  const own = name === 'DATABASE_URL' || (name.startsWith('TIDEGATE_') && !name.startsWith('TIDEGATE_SECRET_'))
  if (own)
    throw new Error(`env:${name} is Tidegate's own; a resource may not use it. Name it TIDEGATE_SECRET_… or otherwise.`)
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined || value === '')
    throw new Error(`The environment variable ${name} is not set where the server runs.`)
  return value
}

async function fromFile(path: string, secretsDir: string): Promise<string> {
  const wanted = isAbsolute(path) ? path : join(secretsDir, path)
  try {
    const [folder, file] = await Promise.all([realpath(secretsDir), realpath(wanted)])
    const inside = relative(folder, file)
    if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
      throw new Error(`file:${path} is outside ${secretsDir}. Put it there, or set TIDEGATE_SECRETS_DIR.`)
    }
    const text = await readFile(file, 'utf8')
    if (text.length > maxBytes) throw new Error(`file:${path} is larger than ${maxBytes} bytes.`)
    return text.replace(/\r?\n$/, '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new Error(`file:${path} cannot be read (${code}).`, { cause: error })
  }
}
