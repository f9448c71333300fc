/**
 * The files that `tidegate apply` sends: `*.yaml`, `*.yml` and `*.cedar`, in a fixed order, with paths relative to
 * what was named. Nothing outside of it is read: a link in a checked-out directory could otherwise send any file.
 */

import { lstat, readFile, readdir, realpath, stat } from 'node:fs/promises'
import { basename, join, sep } from 'node:path'
import { limits as apiLimits } from '@tidegate/api'
import type { Input } from '@tidegate/api'
import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'
import { isMissing } from '../private-file.ts'

export type ConfigFile = Input<'planConfig'>['files'][number]

type Found = { readonly path: string; readonly file: string }

const extensions = /\.(yaml|yml|cedar)$/

/** @throws {Failure} that names the file, where one cannot be sent as it is */
export async function collectFiles(paths: readonly string[]): Promise<readonly ConfigFile[]> {
  const found = (await Promise.all(paths.map(findFiles))).flat().toSorted(byPath)
  if (found.length === 0) {
    throw new Failure('usage', 'There is no *.yaml, *.yml or *.cedar file there.', {
      remedy: 'An empty configuration would remove everything, so it is not applied by accident.',
    })
  }
  if (found.length > apiLimits.configFiles) {
    throw new Failure('usage', `There are ${found.length} files; at most ${apiLimits.configFiles} are applied at once.`)
  }
  refuseDoubles(found)
  return readAll(found)
}

const byPath = (a: Found, b: Found): number => (a.path < b.path ? -1 : 1)

async function findFiles(named: string): Promise<readonly Found[]> {
  const kind = await kindOf(named)
  if (kind === 'directory') return walk({ root: await realpath(named), shown: named, relative: '', depth: 0 })
  if (kind === 'file' && extensions.test(named)) return [{ path: basename(named), file: named }]
  throw new Failure('usage', `${named} is not a directory and not a *.yaml, *.yml or *.cedar file.`)
}

async function kindOf(path: string): Promise<'directory' | 'file' | 'other'> {
  try {
    const found = await stat(path)
    return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other'
  } catch (error) {
    if (isMissing(error)) throw new Failure('usage', `${path} does not exist.`, { cause: error })
    throw error
  }
}

type Walk = {
  /** The real path of what was named. */
  readonly root: string
  /** As it was written, for messages. */
  readonly shown: string
  readonly relative: string
  readonly depth: number
}

/** Hidden files and directories are left out: they belong to editors, Git and mounted volumes. */
async function walk(at: Walk): Promise<readonly Found[]> {
  if (at.depth > limits.directoryDepth) {
    throw new Failure(
      'usage',
      `${join(at.shown, at.relative)} is nested deeper than ${limits.directoryDepth} directories.`,
    )
  }
  const names = (await readdir(join(at.root, at.relative))).filter((name) => !name.startsWith('.'))
  const found: Found[] = []
  for (const name of names) found.push(...(await visit(at, at.relative === '' ? name : `${at.relative}/${name}`)))
  return found
}

async function visit(at: Walk, relative: string): Promise<readonly Found[]> {
  const path = join(at.root, relative)
  const entry = await lstat(path)
  if (entry.isDirectory()) return walk({ ...at, relative, depth: at.depth + 1 })
  if (!extensions.test(relative)) return []
  if (entry.isSymbolicLink()) return [{ path: relative, file: await linkTarget(at, relative) }]
  if (entry.isFile()) return [{ path: relative, file: path }]
  throw new Failure('usage', `${join(at.shown, relative)} is not a regular file.`)
}

async function linkTarget({ root, shown }: Walk, relative: string): Promise<string> {
  const link = join(shown, relative)
  const target = await realpath(join(root, relative)).catch((cause: unknown) => {
    throw new Failure('usage', `${link} is a link to nothing.`, { cause })
  })
  if (!target.startsWith(root + sep)) {
    throw new Failure('usage', `${link} is a link to something outside of ${shown}.`, {
      remedy: 'Put the file itself there: what is applied is what the directory holds.',
    })
  }
  if ((await kindOf(target)) === 'file') return target
  throw new Failure('usage', `${link} is a link to something that is not a file.`)
}

function refuseDoubles(found: readonly Found[]): void {
  const double = found.find(({ path }, i) => found[i + 1]?.path === path)
  if (double) {
    throw new Failure('usage', `Two files would both be called ${double.path}.`, {
      remedy: 'Apply the directory that holds them both, or rename one.',
    })
  }
}

/** One by one, so that the bound holds before the next is read. */
async function readAll(found: readonly Found[]): Promise<readonly ConfigFile[]> {
  const files: ConfigFile[] = []
  let rest: number = apiLimits.bodyBytes
  for (const { path, file } of found) {
    rest -= (await stat(file)).size
    if (rest < 0) {
      throw new Failure('usage', `The files are more than ${apiLimits.bodyBytes} bytes together, at ${path}.`)
    }
    files.push({ path, text: decode(await readFile(file), path) })
  }
  return files
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Failure('usage', `${path} is not UTF-8 text.`, { cause })
  }
}
