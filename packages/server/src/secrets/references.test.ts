import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { makeScratchFolder } from '../../../../tests/support/folders.ts'
import { resolveReference } from './references.ts'

const root = makeScratchFolder('tidegate-references-')
const secretsDir = join(root, 'secrets')
const secret = 'hunter2-and-more'

beforeAll(async () => {
  // As Kubernetes mounts a secret: links through a folder whose name begins with two dots.
  await mkdir(join(secretsDir, '..2026_01_05'), { recursive: true })
  await writeFile(join(secretsDir, '..2026_01_05', 'mounted'), secret)
  await symlink('..2026_01_05', join(secretsDir, '..data'))
  await symlink('..data/mounted', join(secretsDir, 'mounted'))
  await writeFile(join(secretsDir, 'plain'), `${secret}\n`)
  await writeFile(join(secretsDir, 'windows'), `${secret}\r\n`)
  await writeFile(join(secretsDir, 'large'), 'x'.repeat(64 * 1024 + 1))
  await writeFile(join(root, 'outside'), secret)
  await mkdir(join(root, 'secrets-too'))
  await writeFile(join(root, 'secrets-too', 'outside'), secret)
  await symlink(join(root, 'outside'), join(secretsDir, 'link-out'))
  await symlink(root, join(secretsDir, 'folder-out'))
})

const env = {
  ORDERS_DB_PASSWORD: secret,
  TIDEGATE_SECRET_ORDERS: secret,
  TIDEGATE_KEY: secret,
  TIDEGATE_METRICS_TOKEN: secret,
  TIDEGATE_SECRETS_DIR: secret,
  DATABASE_URL: secret,
  EMPTY: '',
}

const read = (reference: string) => resolveReference(reference, { env, secretsDir })

/** What it was refused with; anything else fails. */
const refusal = async (reference: string): Promise<string> =>
  read(reference).then(
    () => 'not refused',
    (error: Error) => error.message,
  )

test.each([
  'env:ORDERS_DB_PASSWORD',
  'env:TIDEGATE_SECRET_ORDERS',
  'file:plain',
  'file:windows',
  `file:${secretsDir}/plain`,
  'file:./plain',
  'file:..data/mounted',
  'file:mounted',
])('%s is the secret that stands there, without the line break at its end', async (reference) => {
  expect(await read(reference)).toBe(secret)
})

test.each(['env:TIDEGATE_KEY', 'env:TIDEGATE_METRICS_TOKEN', 'env:TIDEGATE_SECRETS_DIR', 'env:DATABASE_URL'])(
  '%s is Tidegate’s own, and no resource gets it',
  async (reference) => {
    expect(await refusal(reference)).toContain("is Tidegate's own")
  },
)

test.each(['env:ABSENT', 'env:EMPTY', 'env:', 'env:constructor', 'env:__proto__'])(
  '%s is not set',
  async (reference) => {
    expect(await refusal(reference)).toContain('is not set')
  },
)

test.each([
  'file:../outside',
  'file:..data/../../outside',
  'file:../secrets-too/outside',
  `file:${root}/outside`,
  'file:/etc/hostname',
  'file:..',
  'file:link-out',
  'file:folder-out/outside',
])('%s is outside the secrets folder, and not read', async (reference) => {
  expect(await refusal(reference)).toContain(`is outside ${secretsDir}`)
})

test.each([
  ['file:absent', 'ENOENT'],
  ['file:', 'EISDIR'],
  ['file:../absent', 'ENOENT'],
  ['file:plain/deeper', 'ENOTDIR'],
])('%s cannot be read, and says why', async (reference, code) => {
  expect(await refusal(reference)).toBe(`${reference} cannot be read (${code}).`)
})

test('a file that is no secret by its size is refused', async () => {
  expect(await refusal('file:large')).toContain('is larger than 65536 bytes')
})

test.each(['', 'hunter2', 'ENV:ORDERS_DB_PASSWORD', 'https://hunter2@example', ':hunter2', 'environment:X'])(
  'what is no reference may be the secret itself: %j is refused and not repeated',
  async (reference) => {
    expect(await refusal(reference)).toBe('A secret reference is neither env:NAME nor file:PATH.')
  },
)

test('no refusal holds the value', async () => {
  const references = ['env:TIDEGATE_KEY', 'env:DATABASE_URL', 'file:../outside', 'file:link-out', 'file:plain/deeper']
  for (const reference of references) expect(await refusal(reference)).not.toContain(secret)
})
