import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { embeddedError, hasCode } from './faults.ts'
import { ifPresent } from './files.ts'
import { sightProcess } from './process.ts'

export interface DataDirLock {
  release(): Promise<void>
}

interface Holder {
  readonly pid: number
  /** Absent when the system would not tell: such a holder is believed alive for as long as its number is in use. */
  readonly started?: string
}

/**
 * Keeps a data folder to one Tidegate at a time. The lock of a process that is gone is taken over, also when its
 * number is in use again. It holds between processes that see each other: not across machines that share a folder.
 * @throws EmbeddedError `data-dir-in-use`
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  return acquire(join(dataDir, 'lock'))
}

async function acquire(path: string): Promise<DataDirLock> {
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(await ourselves()), { mode: 0o600, flag: 'wx' })
  try {
    await place(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
  let held = true
  return {
    async release() {
      if (held) await rm(path, { force: true })
      held = false
    },
  }
}

/** Tries again when the lock was released between our finding it held and our looking who holds it. */
async function place(draft: string, path: string): Promise<void> {
  if (await linkNew(draft, path)) return
  if (await takeOver(draft, path)) return
  await place(draft, path)
}

/** Linking a finished file makes the lock and what it says appear in one step. */
async function linkNew(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/**
 * Replaces a stale lock, under a lock for doing that: two that both found it stale must not both replace it, the
 * second replacing what the first had just taken. False when there was nothing left to replace.
 */
async function takeOver(draft: string, path: string): Promise<boolean> {
  if ((await refuseIfLive(path)) === 'absent') return false
  const takeover = await acquire(`${path}.takeover`)
  try {
    if ((await refuseIfLive(path)) === 'absent') return false
    await rename(draft, path)
    return true
  } finally {
    await takeover.release()
  }
}

async function refuseIfLive(path: string): Promise<'absent' | 'stale'> {
  const holder = await readHolder(path)
  if (holder === 'absent') return 'absent'
  if (holder !== 'unreadable' && (await isLive(holder))) {
    throw embeddedError('data-dir-in-use', { dataDir: dirname(path), pid: holder.pid })
  }
  return 'stale'
}

/** A file that a power failure left empty names no holder, and no process of ours survived the power failure. */
async function readHolder(path: string): Promise<Holder | 'absent' | 'unreadable'> {
  const text = await ifPresent(readFile(path, 'utf8'))
  if (text === undefined) return 'absent'
  try {
    const holder: unknown = JSON.parse(text)
    return isHolder(holder) ? holder : 'unreadable'
  } catch {
    return 'unreadable'
  }
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number'
}

async function isLive({ pid, started }: Holder): Promise<boolean> {
  const sighting = await sightProcess(pid)
  if (sighting.state !== 'running') return sighting.state === 'unknown'
  return started === undefined || sighting.started === started
}

async function ourselves(): Promise<Holder> {
  const sighting = await sightProcess(process.pid)
  return sighting.state === 'running' ? { pid: process.pid, started: sighting.started } : { pid: process.pid }
}
