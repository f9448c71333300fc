/**
 * Where master keys come from: `TIDEGATE_KEY`, a key file, or the data folder's own, which is made on first start. One, or
 * several with space or line breaks between them while one takes the place of another: the first is to seal.
 */

import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StartRefusal } from '../settings/start-refusal.ts'
import type { Keys, OneKey } from './keys.ts'
import { makeKey } from './keys.ts'

export type KeySource =
  | { readonly from: 'value'; readonly text: string }
  /** `make`: it is made where there is none. Not so for one that someone named: a slip in its path is not a first start. */
  | { readonly from: 'file'; readonly path: string; readonly make: boolean }

const keyBytes = 32

/** The one that goes, the one that comes, and some that old backups want. */
const keysMost = 4

export async function loadKeys(source: KeySource): Promise<Keys> {
  if (source.from === 'value') return decodeAll(source.text, 'TIDEGATE_KEY')
  return decodeAll(await readKeyFile(source), source.path)
}

function decodeAll(text: string, where: string): Keys {
  const texts = text.trim().split(/\s+/)
  const nameOf = (index: number): string => (texts.length === 1 ? where : `Key ${index + 1} of ${where}`)
  const [first, ...others] = texts.map((one, index) => decode(one, nameOf(index)))
  if (!first) throw new StartRefusal(`${where} has no key.`, howToMake)
  const keys: Keys = [first, ...others]
  if (keys.length > keysMost)
    throw new StartRefusal(
      `${where} has more than ${keysMost} keys.`,
      'Leave out what nothing is sealed with any more.',
    )
  const twice = keys.find(({ id }, index) => keys.findIndex((one) => one.id === id) !== index)
  if (twice) throw new StartRefusal(`${where} has the key ${twice.id} twice.`, 'Write each key once.')
  return keys
}

const howToMake = 'Make one with: openssl rand -base64 32'

function decode(text: string, where: string): OneKey {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === keyBytes && bytes.toString('base64') === text) return makeKey(bytes)
  throw new StartRefusal(`${where} is not 32 bytes in base64.`, howToMake)
}

async function readKeyFile({ path, make }: { path: string; make: boolean }): Promise<string> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      throw new StartRefusal(
        `The key file ${path} can be read by others.`,
        `Run: chmod 600 ${path} — and think about whether it has leaked.`,
      )
    }
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (code === 'ENOENT' && make) return createKeyFile(path)
    throw new StartRefusal(
      `The key file ${path} cannot be read (${code}).`,
      `Name the file that holds the key. For a new store, make one: (umask 077; openssl rand -base64 32 > ${path})`,
    )
  }
}

/** Written whole under another name and linked into place: two first starts at once end with one key, and no half of one. */
async function createKeyFile(path: string): Promise<string> {
  const text = randomBytes(keyBytes).toString('base64')
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  await mkdir(dirname(path), { recursive: true })
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(`${text}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await chmod(draft, 0o600)
  try {
    await link(draft, path)
    // Before anything is sealed with it: a power failure takes no name that was synchronised.
    await syncFolder(dirname(path))
    return text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return await readFile(path, 'utf8')
  } finally {
    await unlink(draft)
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
