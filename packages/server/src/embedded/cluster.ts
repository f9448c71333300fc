import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Account } from './account.ts'
import { asAccount } from './account.ts'
import { embeddedError } from './faults.ts'
import { ifPresent, syncFolder } from './files.ts'
import { faultLogLines } from './limits.ts'
import { providePassword } from './password.ts'

const run = promisify(execFile)

/** The one superuser of the embedded PostgreSQL. */
export const superuser = 'tidegate'

/** What PostgreSQL's programs see of our environment: nothing in it may configure them, and it may hold secrets. */
export const bareEnvironment = { PATH: process.env['PATH'], LC_ALL: 'C' }

export interface ClusterOptions {
  readonly dataDir: string
  readonly initdb: string
  /** Absent: the cluster belongs to whoever we are. */
  readonly account: Account | undefined
  readonly durable: boolean
}

export function clusterIn(dataDir: string): string {
  return join(dataDir, 'postgres')
}

/**
 * Makes the cluster in `<dataDir>/postgres` unless it is there. Answers the superuser's password.
 * @throws EmbeddedError `init-failed`, `password-missing`
 */
export async function prepareCluster(options: ClusterOptions): Promise<{ readonly password: string }> {
  const { dataDir, account } = options
  const cluster = clusterIn(dataDir)
  const exists = (await ifPresent(stat(cluster))) !== undefined
  const password = await providePassword(dataDir, exists ? cluster : undefined)
  await removeDrafts(dataDir)
  if (exists) await giveTo(account, cluster)
  else await createCluster(options, password)
  return { password }
}

/**
 * initdb works on a draft, which gets the cluster's name when it is finished. A draft's name is never used again: the
 * initdb of a killed Tidegate may still be writing to the last one.
 */
async function createCluster(options: ClusterOptions, password: string): Promise<void> {
  const { dataDir, account } = options
  const cluster = clusterIn(dataDir)
  const draft = `${cluster}.tmp-${randomBytes(4).toString('hex')}`
  const passwordFile = `${draft}.password`
  try {
    await mkdir(draft, { mode: 0o700 })
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' })
    await Promise.all([giveTo(account, draft), giveTo(account, passwordFile)])
    await runInitdb(options, { draft, passwordFile })
  } finally {
    await rm(passwordFile, { force: true })
  }
  await rename(draft, cluster)
  await syncFolder(dataDir)
}

async function runInitdb(options: ClusterOptions, paths: { draft: string; passwordFile: string }): Promise<void> {
  const flags = [
    `--pgdata=${paths.draft}`,
    `--pwfile=${paths.passwordFile}`,
    `--username=${superuser}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // PostgreSQL's own collation: the same order on every machine, whatever its C library.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    ...(options.durable ? [] : ['--no-sync']),
  ]
  try {
    await run(options.initdb, flags, { ...asAccount(options.account), cwd: '/', env: bareEnvironment })
  } catch (error) {
    throw initFailed(error)
  }
}

function initFailed(error: unknown): Error {
  const cause = error instanceof Error && 'code' in error ? `initdb ended with ${String(error.code)}` : String(error)
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  const lines = output.split('\n').filter((line) => line !== '')
  return embeddedError('init-failed', { cause, lines: lines.slice(-faultLogLines) })
}

/** What an earlier start left half done, with the copy of the password that initdb was reading. */
async function removeDrafts(dataDir: string): Promise<void> {
  const names = (await readdir(dataDir)).filter((name) => name.startsWith('postgres.tmp'))
  await Promise.all(names.map((name) => rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 })))
}

/** Done only where it is not yet so: for what we have just made, and for a cluster that root restored. */
async function giveTo(account: Account | undefined, path: string): Promise<void> {
  if (account === undefined || (await stat(path)).uid === account.uid) return
  await run('chown', ['-R', `${account.uid}:${account.gid}`, path])
}
