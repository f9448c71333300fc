/** A file system of a test's own, small enough to be filled to the last byte. Needs root, who can mount one. */

import { execFile } from 'node:child_process'
import { chmod, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeFolder } from './folder.ts'
import { whenWeEnd } from './will.ts'

const run = promisify(execFile)

export type SmallDisk = {
  readonly path: string
  /** Resolves with how to give the room back. */
  readonly fill: () => Promise<() => Promise<void>>
  readonly unmount: () => Promise<void>
}

/** `undefined`: nobody lets us, and the reason is printed. @throws in CI, where root must be let */
export async function mountSmallDisk(sizeMiB: number): Promise<SmallDisk | undefined> {
  const folder = await makeFolder()
  const path = join(folder.path, 'disk')
  await mkdir(path)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0711`, 'tmpfs', path])
  } catch (error) {
    await folder.remove()
    if (process.env['CI'] === 'true' && process.getuid?.() === 0) throw error
    process.stdout.write(`the full disk is NOT tested: no tmpfs could be mounted: ${String(error)}\n`)
    return undefined
  }
  const keep = whenWeEnd('umount --lazy "$1"', [path])
  // An account of its own, which runs PostgreSQL here, has to pass through.
  await chmod(path, 0o711)
  return {
    path,
    fill: () => fill(path),
    async unmount() {
      await run('umount', ['--lazy', path])
      keep()
      await folder.remove()
    },
  }
}

const pieceBytes = 1024 * 1024

/** Down to the last byte. */
async function fill(disk: string): Promise<() => Promise<void>> {
  const path = join(disk, 'ballast')
  const file = await open(path, 'a')
  for (let size = pieceBytes; size >= 1;) {
    try {
      const { bytesWritten } = await file.write(Buffer.alloc(size))
      if (bytesWritten === 0) size = 0
    } catch {
      size = Math.floor(size / 2)
    }
  }
  await file.close()
  return () => rm(path, { force: true })
}
