/** The disk of the embedded store fills up. Needs a file system of its own, which root can make. */

import { execFile } from 'node:child_process'
import { chmod, mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { ApiError } from '@tidegate/api'
import { scratchFolder } from '../support/folders.ts'
import { eventually } from './eventually.ts'
import type { Fleet } from './fleet.ts'
import { embeddedFleetForTest } from './for-test.ts'
import { play } from './scenario.ts'
import { usualShape } from './workload.ts'

const run = promisify(execFile)

const sizeMiB = 220

/** `undefined`: nobody lets us. The reason is printed, and loudly where a machine should have let us. */
async function smallDisk(): Promise<string | undefined> {
  const folder = join(scratchFolder(), 'disk')
  await mkdir(folder)
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0711`, 'tmpfs', folder])
  } catch (error) {
    const loudly = process.env['CI'] === 'true' ? '::warning::' : ''
    process.stdout.write(`${loudly}crash: the full disk is NOT tested: no tmpfs could be mounted: ${String(error)}\n`)
    return undefined
  }
  onTestFinished(async () => void (await run('umount', ['--lazy', folder])))
  return folder
}

const pieceBytes = 1024 * 1024

/** Down to the last byte. Resolves with how to give it back. */
async function fill(disk: string): Promise<() => Promise<void>> {
  const path = join(disk, 'ballast')
  const file = await open(path, 'w')
  for (let size = pieceBytes; size >= 1;) {
    try {
      const { bytesWritten } = await file.write(Buffer.alloc(size))
      if (bytesWritten === 0) size = 0
    } catch {
      size = Math.floor(size / 2)
    }
  }
  await file.close()
  return () => rm(path)
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return error instanceof ApiError ? error.code : String(error)
  }
}

/** Asks until the store has no room left for it. */
async function askUntilRefused(fleet: Fleet): Promise<string> {
  const reason = 'x'.repeat(400)
  return eventually({ what: 'a full disk is noticed', withinMs: 60_000 }, async () => {
    const wish = { role: 'orders-db/readonly', duration: '1h', reason }
    const codes = await Promise.all(
      Array.from({ length: 8 }, () => codeOf(fleet.clientOf('alice').createRequest(wish))),
    )
    return codes.find((code) => code !== 'done')
  })
}

test(
  'a full disk is said as such, does nothing by halves, and is got over when there is room',
  { timeout: 180_000 },
  async (context) => {
    const disk = await smallDisk()
    if (disk === undefined) return context.skip()
    const dataDir = join(disk, 'data')
    const fleet = await embeddedFleetForTest(context, { scenario: 'the disk of the store is full', dataDir })
    await chmod(disk, 0o711)
    const [server] = fleet.members
    if (!server) throw new Error('A fleet has a server.')
    const outcome = await play(fleet, {
      name: 'the disk of the store is full',
      shape: { ...usualShape, people: ['bob', 'carol'] },
      async chaos() {
        const full = await fill(disk)
        expect(await askUntilRefused(fleet)).toBe('unavailable')
        await full()
        if (!server.isUp()) await server.start()
        await eventually({ what: 'it takes requests again', withinMs: 30_000 }, async () => {
          const wish = { role: 'orders-db/readonly', duration: '1h', reason: 'There is room' }
          return (await codeOf(fleet.clientOf('alice').createRequest(wish))) === 'done'
        })
        // Now the log of writes itself, without which PostgreSQL cannot go on at all.
        const again = await fill(disk)
        const code = server.ends(60_000)
        await fleet.inStore('select pg_switch_wal()').catch(() => undefined)
        expect(await askUntilRefused(fleet)).toBe('unavailable')
        expect(await code).toBe(1)
        expect(server.written()).toContain('postgres.log may say why')
        server.launch()
        expect(await server.ends(60_000)).toBe(1)
        expect(server.written()).toContain('Free some space')
        await again()
        await fleet.startAll()
      },
    })
    expect(outcome.violations).toEqual([])
  },
)
