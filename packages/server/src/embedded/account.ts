import { execFile } from 'node:child_process'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { embeddedError } from './faults.ts'
import { ifPresent } from './files.ts'

const run = promisify(execFile)

/** Whom PostgreSQL runs as. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** A file or folder, as far as passing through it goes. */
export interface Passage {
  readonly path: string
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** In order of preference. */
const accountNames = ['tidegate', 'postgres', 'nobody'] as const

/**
 * The account for PostgreSQL, which refuses to run as root: the one that owns the database already, or else the first
 * that exists. Absent when Tidegate is not root, and PostgreSQL simply runs as whoever we are.
 */
export async function accountFor(clusterFolder: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await ownerOf(clusterFolder)
  return owner !== undefined && owner.uid !== 0 ? owner : firstAccount()
}

/** Whether the account may enter (a folder) or execute (a file). Access control lists are not looked at. */
export function mayPass(account: Account, { uid, gid, mode }: Passage): boolean {
  if (account.uid === 0) return true
  const [ownerBit, groupBit, otherBit] = [0o100, 0o010, 0o001]
  const bit = account.uid === uid ? ownerBit : account.gid === gid ? groupBit : otherBit
  return (mode & bit) !== 0
}

/** The outermost folder, or the file itself, that keeps the account from reaching `path`. Absent when nothing does. */
export async function whatBlocks(account: Account, path: string): Promise<string | undefined> {
  const passages = await Promise.all(lineage(await realpath(path)).map(passageAt))
  return passages.find((passage) => !mayPass(account, passage))?.path
}

/** How a child process is started as the account. */
export function asAccount(account: Account | undefined): { readonly uid?: number; readonly gid?: number } {
  return account === undefined ? {} : { uid: account.uid, gid: account.gid }
}

async function firstAccount(): Promise<Account> {
  const accounts = await Promise.all(accountNames.map(accountNamed))
  const first = accounts.find((account) => account !== undefined)
  if (first === undefined) throw embeddedError('account-missing', { tried: accountNames })
  return first
}

async function accountNamed(name: string): Promise<Account | undefined> {
  const [uid, gid] = await Promise.all([numberOf(name, '-u'), numberOf(name, '-g')])
  return uid === undefined || gid === undefined ? undefined : { name, uid, gid }
}

async function numberOf(name: string, flag: '-u' | '-g'): Promise<number | undefined> {
  try {
    return Number((await run('id', [flag, name])).stdout)
  } catch {
    return undefined
  }
}

async function ownerOf(folder: string): Promise<Account | undefined> {
  const found = await ifPresent(stat(folder))
  return found === undefined ? undefined : { name: `user ${found.uid}`, uid: found.uid, gid: found.gid }
}

/** `/`, `/a`, `/a/b` for `/a/b`. */
function lineage(path: string): readonly string[] {
  const parent = dirname(path)
  return parent === path ? [path] : [...lineage(parent), path]
}

async function passageAt(path: string): Promise<Passage> {
  const { uid, gid, mode } = await stat(path)
  return { path, uid, gid, mode }
}
