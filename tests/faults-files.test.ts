/** What a first start that died has left of its key file, and a start that cannot write one. */

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadKeys } from '../packages/server/src/secrets/master-key.ts'
import { makeScratchFolder } from './support/folders.ts'

function scratch(): string {
  const folder = makeScratchFolder('tidegate-key-')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const keyIn = (path: string) => loadKeys({ from: 'file', path, make: true })

test('a draft of a key that a first start left behind is nobody’s key', async () => {
  const path = join(scratch(), 'key')
  const draft = Buffer.alloc(32, 7).toString('base64')
  writeFileSync(`${path}.0011aabbccdd`, `${draft}\n`, { mode: 0o600 })
  writeFileSync(`${path}.ffee99887766`, draft.slice(0, 5), { mode: 0o600 })
  const [{ bytes }] = await keyIn(path)
  expect(Buffer.from(bytes).toString('base64')).not.toBe(draft)
  expect(await keyIn(path)).toMatchObject([{ bytes }])
})

test('a key file that was written in half is refused, and left as it is for whoever has the rest', async () => {
  const path = join(scratch(), 'key')
  writeFileSync(path, 'AAAA', { mode: 0o600 })
  await expect(keyIn(path)).rejects.toMatchObject({ name: 'StartRefusal' })
  expect(readFileSync(path, 'utf8')).toBe('AAAA')
})

test('a start that cannot write its key file makes none, and the next one that can does', async () => {
  const folder = scratch()
  const inTheWay = join(folder, 'data')
  writeFileSync(inTheWay, '')
  await expect(keyIn(join(inTheWay, 'key'))).rejects.toThrow()
  expect(readdirSync(folder)).toEqual(['data'])
  await rm(inTheWay)
  mkdirSync(inTheWay)
  expect((await keyIn(join(inTheWay, 'key')))[0].bytes).toHaveLength(32)
  expect(readdirSync(inTheWay)).toEqual(['key'])
})
