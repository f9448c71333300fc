import { randomBytes } from 'node:crypto'
import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import { StartRefusal } from '../settings/start-refusal.ts'
import { loadMasterKey } from './master-key.ts'

const loadFile = (path: string, make = true) => loadMasterKey({ from: 'file', path, make })

async function keyFile(text: string, mode = 0o600): Promise<string> {
  const path = join(scratchFolder(), 'key')
  await writeFile(path, text, { mode })
  await chmod(path, mode)
  return path
}

test('the first start makes the key file, for its owner alone; the second reads it', async () => {
  const path = join(scratchFolder(), 'data', 'key')
  const first = await loadFile(path)
  expect(first.bytes).toHaveLength(32)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const text = await readFile(path, 'utf8')
  expect(await loadFile(path)).toEqual(first)
  expect(await readFile(path, 'utf8')).toBe(text)
})

test('many first starts at once end with one key, and leave no draft of another', async () => {
  const folder = scratchFolder()
  const path = join(folder, 'key')
  const keys = await Promise.all(Array.from({ length: 20 }, () => loadFile(path)))
  expect(new Set(keys.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).size).toBe(1)
  expect(await readdir(folder)).toEqual(['key'])
})

test('a key file that someone named is not made where there is none', async () => {
  const folder = scratchFolder()
  const loading = loadFile(join(folder, 'key'), false)
  await expect(loading).rejects.toBeInstanceOf(StartRefusal)
  await expect(loading).rejects.toThrow('cannot be read (ENOENT)')
  expect(await readdir(folder)).toEqual([])
})

test('a folder is no key file', async () => {
  const loading = loadFile(scratchFolder(), true)
  await expect(loading).rejects.toBeInstanceOf(StartRefusal)
})

test.each([0o640, 0o604, 0o620, 0o644, 0o660, 0o666])(
  'a key file with mode %o, which others can reach, is refused',
  async (mode) => {
    const loading = loadFile(await keyFile(`${randomBytes(32).toString('base64')}\n`, mode))
    await expect(loading).rejects.toBeInstanceOf(StartRefusal)
    await expect(loading).rejects.toThrow('can be read by others')
  },
)

test('a key that is given is the one that is used', async () => {
  const bytes = randomBytes(32)
  expect(await loadMasterKey({ from: 'value', text: bytes.toString('base64') })).toEqual({ bytes })
  expect(await loadFile(await keyFile(bytes.toString('base64')))).toEqual({ bytes })
})

const short = randomBytes(31).toString('base64')
const long = randomBytes(33).toString('base64')
// The last character has two bits that no byte takes: two texts would be one key.
const loose = `${Buffer.alloc(32, 1).toString('base64').slice(0, 42)}F=`

test.each([
  ['nothing', ''],
  ['31 bytes', short],
  ['33 bytes', long],
  ['hex', randomBytes(32).toString('hex')],
  ['base64url', Buffer.alloc(32, 0xff).toString('base64url')],
  ['a text that is not the one of its bytes', loose],
  ['words', 'correct horse battery staple'],
])('a key that is %s is refused, and not repeated', async (_what, text) => {
  for (const load of [() => loadMasterKey({ from: 'value', text }), async () => loadFile(await keyFile(`${text}\n`))]) {
    const refusal: unknown = await load().catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StartRefusal)
    expect((refusal as StartRefusal).message).toMatch(/^(TIDEGATE_KEY|\/.*\/key) is not 32 bytes in base64\.$/)
  }
})
