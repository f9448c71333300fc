import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import { isEmbeddedError } from './faults.ts'
import { lockDataDir } from './lock.ts'

async function pidOfTheDead(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

/** How many of twenty that try at once get the lock, when the rest are refused for the right reason. */
async function winners(folder: string): Promise<number> {
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDir(folder)))
  const refusals = outcomes.filter((outcome) => outcome.status === 'rejected')
  for (const { reason } of refusals) expect(isEmbeddedError(reason, 'data-dir-in-use')).toBe(true)
  return outcomes.length - refusals.length
}

test('of many that try at once, one gets a lock', async () => {
  expect(await winners(scratchFolder())).toBe(1)
})

test('of many that find a stale lock at once, one takes it over', async () => {
  const folder = scratchFolder()
  await writeFile(join(folder, 'lock'), JSON.stringify({ pid: await pidOfTheDead(), started: 'long ago' }))
  expect(await winners(folder)).toBe(1)
  expect(await readdir(folder)).toEqual(['lock'])
})

test('a lock is stale when its holder is gone and another process has its number', async () => {
  const folder = scratchFolder()
  await writeFile(join(folder, 'lock'), JSON.stringify({ pid: process.pid, started: 'long ago' }))
  await expect(lockDataDir(folder)).resolves.toBeDefined()
})

test('a lock that does not say when its holder started is believed while there is such a process', async () => {
  const folder = scratchFolder()
  await writeFile(join(folder, 'lock'), JSON.stringify({ pid: process.pid }))
  await expect(lockDataDir(folder)).rejects.toMatchObject({ code: 'data-dir-in-use', pid: process.pid })
})

test('a lock that a power failure left empty is stale', async () => {
  const folder = scratchFolder()
  await writeFile(join(folder, 'lock'), '')
  await expect(lockDataDir(folder)).resolves.toBeDefined()
})

test('a released lock can be taken, and releasing it again does not release the next one', async () => {
  const folder = scratchFolder()
  const first = await lockDataDir(folder)
  await first.release()
  await lockDataDir(folder)
  await first.release()
  await expect(lockDataDir(folder)).rejects.toMatchObject({ code: 'data-dir-in-use' })
})
