import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { minutes, seconds } from '@tidegate/core'
import { expect, test } from 'vitest'
import { scratchFolder } from '../../../../tests/support/folders.ts'
import type { Env, SettingRow } from './settings.ts'
import { loadSettings, readSettings, settingRows } from './settings.ts'
import { StartRefusal } from './start-refusal.ts'

const url = 'postgres://tidegate:hunter2@db.example:5432/tidegate'
const key = 'q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80='

const read = (env: Env, file: Record<string, unknown> = {}) => readSettings(env, file)

function refusalOf(run: () => unknown): StartRefusal {
  try {
    run()
  } catch (error) {
    if (error instanceof StartRefusal) return error
    throw error
  }
  throw new Error('It was not refused.')
}

async function settingsFile(text: string): Promise<string> {
  const path = join(scratchFolder(), 'settings.yaml')
  await writeFile(path, text)
  return path
}

test('with nothing set it listens on loopback, runs its own PostgreSQL and makes its own key', () => {
  expect(read({})).toEqual({
    listen: { host: '127.0.0.1', port: 7070 },
    store: { kind: 'embedded', dataDir: resolve('.tidegate') },
    key: { from: 'file', path: resolve('.tidegate/key'), make: true },
    secretsDir: '/run/secrets',
    logLevel: 'info',
    sweepEvery: minutes(5),
    reaskEvery: minutes(1),
    maxConnections: 20,
  })
})

test('every setting is read from the environment', () => {
  const env = {
    TIDEGATE_LISTEN: '0.0.0.0:443',
    DATABASE_URL: url,
    TIDEGATE_KEY: key,
    TIDEGATE_TLS_CERT: '/tls/cert.pem',
    TIDEGATE_TLS_KEY: '/tls/key.pem',
    TIDEGATE_PROXIES: '10.0.0.7, fd00::/64',
    TIDEGATE_SECRETS_DIR: '/secrets',
    TIDEGATE_LOG_LEVEL: 'warn',
    TIDEGATE_METRICS_TOKEN: 'scrape-me',
    TIDEGATE_SWEEP_EVERY: '30s',
    TIDEGATE_REASK_EVERY: '2m',
    TIDEGATE_DB_CONNECTIONS: '50',
  }
  expect(read(env)).toEqual({
    listen: { host: '0.0.0.0', port: 443 },
    store: { kind: 'url', url },
    key: { from: 'value', text: key },
    tls: { certFile: '/tls/cert.pem', keyFile: '/tls/key.pem' },
    proxies: ['10.0.0.7', 'fd00::/64'],
    secretsDir: '/secrets',
    logLevel: 'warn',
    metricsToken: 'scrape-me',
    sweepEvery: seconds(30),
    reaskEvery: minutes(2),
    maxConnections: 50,
  })
})

test('the environment comes before the file, and the file before the default', () => {
  const file = { listen: '127.0.0.1:1111', maxConnections: 7, behindTls: true }
  expect(read({ TIDEGATE_LISTEN: '127.0.0.1:2222' }, file)).toMatchObject({
    listen: { port: 2222 },
    maxConnections: 7,
    sweepEvery: minutes(5),
  })
})

test('a variable that is empty counts as unset', () => {
  const empty = Object.fromEntries(Object.values<SettingRow>(settingRows).map((row) => [row.env, '']))
  expect(read(empty)).toEqual(read({}))
})

const on = (host: string, env: Env = {}) => read({ TIDEGATE_LISTEN: host, ...env })
const withUrl = (env: Env) => read({ DATABASE_URL: url, ...env })

test.each<[what: string, names: string, run: () => unknown]>([
  ['a certificate without its key', 'TIDEGATE_TLS_KEY', () => read({ TIDEGATE_TLS_CERT: '/c.pem' })],
  ['a key without its certificate', 'TIDEGATE_TLS_CERT', () => read({ TIDEGATE_TLS_KEY: '/k.pem' })],
  ['every address without TLS', 'TIDEGATE_LISTEN', () => on('0.0.0.0:7070')],
  ['every address of IPv6 without TLS', 'TIDEGATE_LISTEN', () => on('[::]:7070')],
  ['a name without TLS', 'TIDEGATE_LISTEN', () => on('tidegate.example:7070')],
  ['a name that begins like loopback', 'TIDEGATE_LISTEN', () => on('127.0.0.1.example:7070')],
  [
    'an address that something else ends TLS for, perhaps',
    'TIDEGATE_BEHIND_TLS',
    () => on('0.0.0.0:7070', { TIDEGATE_BEHIND_TLS: 'yes' }),
  ],
  ['a word for TLS that is none, on loopback too', 'TIDEGATE_BEHIND_TLS', () => read({ TIDEGATE_BEHIND_TLS: 'TRUE' })],
  ['an address without a port', 'TIDEGATE_LISTEN', () => on('127.0.0.1')],
  ['a port without an address', 'TIDEGATE_LISTEN', () => on(':7070')],
  ['a port above 65535', 'TIDEGATE_LISTEN', () => on('127.0.0.1:65536')],
  ['your PostgreSQL without a key', 'TIDEGATE_KEY', () => withUrl({})],
  ['two keys', 'TIDEGATE_KEY', () => withUrl({ TIDEGATE_KEY: key, TIDEGATE_KEY_FILE: '/key' })],
  ['two keys of its own PostgreSQL', 'TIDEGATE_KEY', () => read({ TIDEGATE_KEY: key, TIDEGATE_KEY_FILE: '/key' })],
  ['another database', 'DATABASE_URL', () => read({ DATABASE_URL: 'mysql://u:hunter2@db/x', TIDEGATE_KEY: key })],
  ['a duration without a unit', 'TIDEGATE_SWEEP_EVERY', () => read({ TIDEGATE_SWEEP_EVERY: '300' })],
  ['a duration of zero', 'TIDEGATE_REASK_EVERY', () => read({ TIDEGATE_REASK_EVERY: '0s' })],
  ['too few connections', 'TIDEGATE_DB_CONNECTIONS', () => read({ TIDEGATE_DB_CONNECTIONS: '3' })],
  ['connections that are no number', 'TIDEGATE_DB_CONNECTIONS', () => read({ TIDEGATE_DB_CONNECTIONS: 'many' })],
  ['a name for a proxy', 'TIDEGATE_PROXIES', () => read({ TIDEGATE_PROXIES: 'loopback' })],
  ['everyone as a proxy', 'TIDEGATE_PROXIES', () => read({ TIDEGATE_PROXIES: '10.0.0.7,0.0.0.0/0' })],
  ['a network that is longer than an address', 'TIDEGATE_PROXIES', () => read({ TIDEGATE_PROXIES: '10.0.0.0/33' })],
  ['a level that is none', 'TIDEGATE_LOG_LEVEL', () => read({ TIDEGATE_LOG_LEVEL: 'trace' })],
  ['a certificate named without a value in the file', 'TIDEGATE_TLS_CERT', () => read({}, { tlsCert: null })],
  ['an empty value in the file', 'TIDEGATE_TLS_KEY', () => read({}, { tlsKey: '' })],
  ['a list in the file', 'TIDEGATE_LISTEN', () => read({}, { listen: ['127.0.0.1:7070'] })],
])('%s: refused, naming %s, with a remedy and no secret', (_what, names, run) => {
  const { message, remedy } = refusalOf(run)
  expect(message).toContain(names)
  expect(remedy).not.toBe('')
  expect(message + remedy).not.toMatch(/hunter2|q83vEjRW/)
})

test.each(['127.0.0.1:7070', '127.8.8.8:7070', 'localhost:7070', '[::1]:7070'])('%s needs no TLS', (text) => {
  expect(on(text)).toMatchObject({ listen: { port: 7070 } })
})

test('another address is listened on with TLS, or when something in front ends it', () => {
  expect(on('0.0.0.0:443', { TIDEGATE_TLS_CERT: 'c.pem', TIDEGATE_TLS_KEY: 'k.pem' }).tls).toEqual({
    certFile: resolve('c.pem'),
    keyFile: resolve('k.pem'),
  })
  expect(on('0.0.0.0:80', { TIDEGATE_BEHIND_TLS: 'true' }).listen.host).toBe('0.0.0.0')
})

test('a key file that someone named is read and never made', () => {
  expect(withUrl({ TIDEGATE_KEY_FILE: '/etc/key' }).key).toEqual({ from: 'file', path: '/etc/key', make: false })
  expect(read({ TIDEGATE_KEY_FILE: '/etc/key' }).key).toEqual({ from: 'file', path: '/etc/key', make: false })
})

test('settings stand in a file by their names', async () => {
  const path = await settingsFile('listen: 127.0.0.1:8080\nmaxConnections: 9\nbehindTls: true\nsweepEvery: 1h\n')
  expect(await loadSettings({}, path)).toMatchObject({
    listen: { host: '127.0.0.1', port: 8080 },
    maxConnections: 9,
    sweepEvery: minutes(60),
  })
})

test('an empty file sets nothing, and no file is none', async () => {
  expect(await loadSettings({}, await settingsFile(''))).toEqual(read({}))
  expect(await loadSettings({}, undefined)).toEqual(read({}))
})

const secretNames = ['databaseUrl', 'DATABASE_URL', 'key', 'TIDEGATE_KEY', 'metricsToken']

test.each(['lisen', ...secretNames])('a file that names %s is refused, without its value', async (name) => {
  const loading = loadSettings({}, await settingsFile(`${name}: hunter2\n`))
  await expect(loading).rejects.toBeInstanceOf(StartRefusal)
  await expect(loading).rejects.toThrow(`there is no setting ${name}`)
  await expect(loading).rejects.not.toThrow('hunter2')
})

test.each([
  ['a list', '- listen: 127.0.0.1:7070\n', 'not a mapping'],
  ['a word', 'listen\n', 'not a mapping'],
  ['no YAML', 'listen: [\n', 'not YAML'],
  ['the same name twice', 'listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n', 'not YAML'],
])('a file that is %s is refused', async (_what, text, message) => {
  const loading = loadSettings({}, await settingsFile(text))
  await expect(loading).rejects.toBeInstanceOf(StartRefusal)
  await expect(loading).rejects.toThrow(message)
})

test('a file that is not there is refused by its name', async () => {
  const path = join(scratchFolder(), 'absent.yaml')
  await expect(loadSettings({}, path)).rejects.toThrow(`${path} cannot be read (ENOENT)`)
})

test('every setting has a variable of its own, and no name of the file is used twice', () => {
  const rows = Object.values<SettingRow>(settingRows)
  const names = rows.flatMap(({ file }) => file ?? [])
  expect(new Set(rows.map(({ env }) => env)).size).toBe(rows.length)
  expect(new Set(names).size).toBe(names.length)
})
