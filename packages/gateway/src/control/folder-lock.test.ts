import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lockFolder } from './folder-lock.ts'
import { folderForTest } from './testing/world.ts'

async function locked(dir: string): Promise<{ release: () => Promise<void> }> {
  const lock = await lockFolder(dir)
  onTestFinished(() => lock.release())
  return lock
}

/** How many of twenty that try at once get it, when the others are refused for the right reason. */
async function winners(dir: string): Promise<number> {
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => locked(dir)))
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'in-use' })
  return outcomes.filter(({ status }) => status === 'fulfilled').length
}

/** Another process, which holds it until it is killed. */
async function held(dir: string) {
  const text = `require('node:net').createServer().listen(process.argv[1], () => process.stdout.write('held'))`
  const child = spawn(process.execPath, ['-e', text, join(dir, 'lock')], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

test('of many that try at once, one gets a folder', async () => {
  expect(await winners(await folderForTest())).toBe(1)
})

test('a folder that another process has is refused, and is free once that was killed', async () => {
  const dir = await folderForTest()
  const child = await held(dir)
  await expect(lockFolder(dir)).rejects.toMatchObject({ name: 'GatewayRefusal', code: 'in-use' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await readdir(dir)).toEqual(['lock'])
  expect(await winners(dir)).toBe(1)
})

test('what a copy of a folder has for a lock is none', async () => {
  const dir = await folderForTest()
  await writeFile(join(dir, 'lock'), '')
  await locked(dir)
})

test('a lock that is released can be had again, and leaves nothing', async () => {
  const dir = await folderForTest()
  await (await locked(dir)).release()
  expect(await readdir(dir)).toEqual([])
  await locked(dir)
})

test('a path that is too long for a lock is refused, and not locked under a shorter name', async () => {
  const dir = join(await folderForTest(), 'x'.repeat(100))
  await expect(lockFolder(dir)).rejects.toMatchObject({ code: 'setting' })
})
