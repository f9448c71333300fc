import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const memory = '/dev/shm'
const enoughBytes = 4 * 1024 ** 3

/**
 * Where test data goes: memory, if the system offers enough of it as a folder, since a run writes hundreds of databases
 * and keeps none. PostgreSQL itself is not told, and syncs every commit.
 */
export function scratchRoot(): string {
  try {
    const { bavail, bsize } = statfsSync(memory)
    return bavail * bsize >= enoughBytes ? memory : tmpdir()
  } catch {
    return tmpdir()
  }
}

/** A new folder that is removed when the test has finished. */
export function scratchFolder(root: string = scratchRoot()): string {
  const folder = makeScratchFolder('tidegate-scratch-', root)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The caller removes it. Started as root, a PostgreSQL of ours runs as another account, which must pass through here. */
export function makeScratchFolder(prefix: string, root: string = scratchRoot()): string {
  const folder = mkdtempSync(join(root, prefix))
  chmodSync(folder, 0o711)
  return folder
}
