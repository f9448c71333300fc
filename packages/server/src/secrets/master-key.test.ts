import { createHash, randomBytes } from 'node:crypto'
import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import { StartRefusal } from '../settings/start-refusal.ts'
import { derived, makeKey } from './keys.ts'
import { loadKeys } from './master-key.ts'

const loadFile = (path: string, make = true) => loadKeys({ from: 'file', path, make })

async function keyFile(text: string, mode = 0o600): Promise<string> {
  const path = join(scratchFolder(), 'key')
  await writeFile(path, text, { mode })
  await chmod(path, mode)
  return path
}

test('the first start makes the key file, for its owner alone; the second reads it', async () => {
  const path = join(scratchFolder(), 'data', 'key')
  const [first] = await loadFile(path)
  expect(first.bytes).toHaveLength(32)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const text = await readFile(path, 'utf8')
  expect(await loadFile(path)).toEqual([first])
  expect(await readFile(path, 'utf8')).toBe(text)
})

test('many first starts at once end with one key, and leave no draft of another', async () => {
  const folder = scratchFolder()
  const path = join(folder, 'key')
  const keys = await Promise.all(Array.from({ length: 20 }, () => loadFile(path)))
  expect(new Set(keys.map(([{ bytes }]) => Buffer.from(bytes).toString('hex'))).size).toBe(1)
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
  expect(await loadKeys({ from: 'value', text: bytes.toString('base64') })).toEqual([makeKey(bytes)])
  expect(await loadFile(await keyFile(bytes.toString('base64')))).toEqual([makeKey(bytes)])
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
  ['a word', 'correct-horse'],
])('a key that is %s is refused, and not repeated', async (_what, text) => {
  for (const load of [() => loadKeys({ from: 'value', text }), async () => loadFile(await keyFile(`${text}\n`))]) {
    const refusal: unknown = await load().catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StartRefusal)
    expect((refusal as StartRefusal).message).toMatch(/^(TIDEGATE_KEY|\/.*\/key) is not 32 bytes in base64\.$/)
  }
})

const [one, two] = [randomBytes(32), randomBytes(32)]
const [first, second] = [one.toString('base64'), two.toString('base64')]

test.each([
  ['a line each', `${first}\n${second}\n`],
  ['empty lines between them', `\n${first}\r\n\n  ${second}`],
  ['a space between them', `${first} ${second}`],
])('several keys are read in their order: %s', async (_what, text) => {
  const keys = [makeKey(one), makeKey(two)]
  expect(await loadKeys({ from: 'value', text })).toEqual(keys)
  expect(await loadFile(await keyFile(text))).toEqual(keys)
})

test.each([
  ['the second of which is none', `${first} ${short}`, 'Key 2 of TIDEGATE_KEY is not 32 bytes in base64.'],
  ['of which one is there twice', `${first} ${second} ${first}`, `TIDEGATE_KEY has the key ${makeKey(one).id} twice.`],
  [
    'of which there are five',
    Array.from({ length: 5 }, () => randomBytes(32).toString('base64')).join(' '),
    'TIDEGATE_KEY has more than 4 keys.',
  ],
])('keys %s are refused', async (_what, text, message) => {
  const loading = loadKeys({ from: 'value', text })
  await expect(loading).rejects.toBeInstanceOf(StartRefusal)
  await expect(loading).rejects.toThrow(message)
})

test('the id of a key is not a part of it, nor of what the key is used for', () => {
  const { id } = makeKey(one)
  expect(id).toMatch(/^[0-9a-f]{8}$/)
  expect(one.toString('hex')).not.toContain(id)
  expect(createHash('sha256').update(one).digest('hex')).not.toContain(id)
  expect(derived(makeKey(one), 'proof nonces').toString('hex')).not.toContain(id)
})
