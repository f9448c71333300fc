import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, lstat, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { withClient } from '../../../../tests/support/clients.ts'
import { makeScratchFolder, scratchFolder } from '../../../../tests/support/folders.ts'
import { accountFor, asAccount } from './account.ts'
import { findInstallation, provideBinaries } from './binaries.ts'
import { freePort } from './port.ts'
import { sightProcess, strangerWith } from './process.ts'
import type { EmbeddedOptions, EmbeddedPostgres } from './start.ts'
import { startEmbeddedPostgres } from './start.ts'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0
const patienceMs = 20_000

/** Making a database takes most of a second, so it is made once, and copied for the tests that are about something else. */
let pristine: string

beforeAll(async () => {
  pristine = makeScratchFolder('tidegate-pristine-')
  await (await startEmbeddedPostgres({ dataDir: pristine, durable: true, log: () => {} })).stop()
})

afterAll(() => rm(pristine, { recursive: true }))

async function madeDataDir(): Promise<string> {
  const dataDir = join(scratchFolder(), 'data')
  await run('cp', ['-Rp', pristine, dataDir])
  return dataDir
}

async function start(dataDir: string, options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ durable: true, dataDir, log: () => {}, ...options })
  onTestFinished(() => postgres.stop('immediate'))
  return postgres
}

/** A Tidegate in a process of its own, as far as these tests need one. Answers what it printed: its server's pid. */
async function startInChild(dataDir: string, path = process.env['PATH']) {
  const script = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(import.meta.resolve('./start.ts'))})
    const postgres = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: true })
    console.log(postgres.pid)
  `
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: path },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = await once(child.stdout, 'data')
  const serverPid = Number(line)
  return {
    serverPid,
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function select(postgres: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  return withClient(postgres.connection, async (client) => (await client.query(sql)).rows)
}

test('what was written is there after a stop and a start', async () => {
  const dataDir = join(scratchFolder(), 'data')
  const first = await start(dataDir, { settings: { max_connections: '33' } })
  expect(await select(first, 'SHOW max_connections')).toEqual([{ max_connections: '33' }])
  await select(first, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await first.stop()
  expect(await first.exited).toEqual({ code: 0, signal: null })

  const second = await start(dataDir)
  expect(second.connection.password).toBe(first.connection.password)
  expect(await select(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
})

test('it is UTF-8 with checksums and fsync, on the loopback address alone, and asks for the password', async () => {
  const postgres = await start(await madeDataDir())
  const settings = await select(
    postgres,
    `SELECT name, setting FROM pg_settings WHERE name IN
       ('server_encoding', 'data_checksums', 'fsync', 'listen_addresses', 'unix_socket_directories') ORDER BY name`,
  )
  expect(settings).toEqual([
    { name: 'data_checksums', setting: 'on' },
    { name: 'fsync', setting: 'on' },
    { name: 'listen_addresses', setting: '127.0.0.1' },
    { name: 'server_encoding', setting: 'UTF8' },
    { name: 'unix_socket_directories', setting: '' },
  ])
  const wrong = { ...postgres.connection, password: 'wrong' }
  await expect(withClient(wrong, async () => {})).rejects.toMatchObject({ code: '28P01' })
})

test('it leads a process group of its own, which a Ctrl-C at our terminal does not reach', async () => {
  const postgres = await start(await madeDataDir())
  expect(process.kill(-postgres.pid, 0)).toBe(true)
})

test('the password is a file that only its owner can read, and is nowhere else in the data folder or the log', async () => {
  const dataDir = join(scratchFolder(), 'data')
  const postgres = await startEmbeddedPostgres({ dataDir, durable: true })
  const { password } = postgres.connection
  const failing = select(postgres, `ALTER ROLE nobody_here PASSWORD '${password}'`)
  await expect(failing).rejects.toMatchObject({ code: '42704' })
  await postgres.stop()
  expect(password).toMatch(/^[0-9a-f]{64}$/)
  expect((await stat(join(dataDir, 'superuser-password'))).mode & 0o777).toBe(0o600)
  const files = await readdir(dataDir, { recursive: true, withFileTypes: true })
  const holding = await Promise.all(
    files.map(async (file) => {
      const path = join(file.parentPath, file.name)
      return file.isFile() && (await readFile(path)).includes(password) ? [path] : []
    }),
  )
  expect(holding.flat()).toEqual([join(dataDir, 'superuser-password')])
})

test('a second Tidegate on the same data folder is refused, and told who has it', async () => {
  const dataDir = await madeDataDir()
  const first = await start(dataDir)
  const second = startEmbeddedPostgres({ dataDir, durable: true })
  await expect(second).rejects.toMatchObject({ code: 'data-dir-in-use', pid: process.pid })
  expect(await select(first, 'SELECT 1 AS alive')).toEqual([{ alive: 1 }])
})

test('the server stops by itself when the Tidegate that started it is killed', async () => {
  const child = await startInChild(await madeDataDir())
  expect(await sightProcess(child.serverPid)).toMatchObject({ state: 'running' })
  await child.kill()
  expect(await strangerWith(child.serverPid).goneWithin(patienceMs)).toBe(true)
})

test('a server left behind by a killed Tidegate is stopped by the next start, also where no watchdog could run', async () => {
  const dataDir = await madeDataDir()
  const bin = scratchFolder()
  // All the programs a start looks for by name, but the shell that the watchdog needs.
  for (const program of ['id', 'chown', 'ps']) {
    const found = (await run('sh', ['-c', `command -v ${program}`])).stdout.trim()
    await symlink(found, join(bin, program))
  }
  const child = await startInChild(dataDir, bin)
  await child.kill()
  expect(await sightProcess(child.serverPid)).toMatchObject({ state: 'running' })

  const postgres = await start(dataDir)
  expect(await sightProcess(child.serverPid)).toEqual({ state: 'gone' })
  expect(await select(postgres, 'SELECT 1 AS alive')).toEqual([{ alive: 1 }])
})

test('a program that has the number of a server long gone is left alone', async () => {
  const dataDir = await madeDataDir()
  await (await start(dataDir)).stop()
  const cluster = join(dataDir, 'postgres')
  await writeFile(join(cluster, 'postmaster.pid'), `${process.pid}\n${cluster}\n`)
  const postgres = await start(dataDir)
  expect(await select(postgres, 'SELECT 1 AS alive')).toEqual([{ alive: 1 }])
})

test('a database that was only half made is made again', async () => {
  const dataDir = join(scratchFolder(), 'data')
  await mkdir(join(dataDir, 'postgres.tmp-dead', 'base'), { recursive: true })
  await writeFile(join(dataDir, 'postgres.tmp-dead.password'), 'left behind')
  await chmod(dataDir, 0o711)
  const postgres = await start(dataDir)
  expect(await select(postgres, 'SELECT 1 AS alive')).toEqual([{ alive: 1 }])
  expect((await readdir(dataDir)).filter((name) => name.includes('tmp'))).toEqual([])
})

test('a database whose password was lost is left as it is, and the error says which file is missing', async () => {
  const dataDir = await madeDataDir()
  await (await start(dataDir)).stop()
  const path = join(dataDir, 'superuser-password')
  await rm(path)
  await expect(start(dataDir)).rejects.toMatchObject({ code: 'password-missing', path })
})

test('a port that is taken is an error that names it, and leaves the data folder free', async () => {
  const dataDir = await madeDataDir()
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  await once(other, 'listening')
  await expect(start(dataDir, { port })).rejects.toMatchObject({ code: 'port-in-use', port })
  other.close()
  await once(other, 'close')
  expect((await start(dataDir, { port })).port).toBe(port)
})

test('a start that fails says why, what to do, and what PostgreSQL said', async () => {
  const dataDir = await madeDataDir()
  const failed = start(dataDir, { settings: { max_connections: 'many' } })
  await expect(failed).rejects.toMatchObject({
    code: 'start-failed',
    message: expect.stringMatching(/Correct that setting[^]*invalid value for parameter "max_connections": "many"/),
  })
})

test('a server that dies by itself is reported, and its lock released', async () => {
  const dataDir = await madeDataDir()
  const postgres = await start(dataDir)
  process.kill(postgres.pid, 'SIGQUIT')
  expect(await postgres.exited).toMatchObject({ signal: null })
  await postgres.stop()
  expect(await select(await start(dataDir), 'SELECT 1 AS alive')).toEqual([{ alive: 1 }])
})

test.runIf(isRoot)('started as root, it runs as another account, and the data folder stays ours', async () => {
  const dataDir = join(scratchFolder(), 'data')
  await start(dataDir)
  const [folder, cluster] = await Promise.all([stat(dataDir), stat(join(dataDir, 'postgres'))])
  expect({ uid: folder.uid, mode: folder.mode & 0o777 }).toEqual({ uid: 0, mode: 0o711 })
  expect(cluster.uid).not.toBe(0)
  expect(cluster.mode & 0o777).toBe(0o700)
})

// Only root starts PostgreSQL as somebody else, to whom a folder can be closed.
test.runIf(isRoot)('a data folder that the account cannot reach is refused, naming the folder in the way', async () => {
  const closed = join(scratchFolder(), 'closed')
  await mkdir(closed, { mode: 0o700 })
  await expect(start(join(closed, 'deep', 'data'))).rejects.toMatchObject({
    code: 'data-dir-unreachable',
    blockedBy: closed,
    message: expect.stringContaining(`chmod o+x ${closed}`),
  })
})

test.runIf(isRoot)('binaries that the account cannot reach are copied to where it can, with their links', async () => {
  // The copy is not put in memory: some systems let nothing be executed there.
  const dataDir = scratchFolder(tmpdir())
  const closed = join(scratchFolder(), 'closed')
  await mkdir(closed, { mode: 0o700 })
  const native = join(closed, 'native')
  const isNoLink = async (path: string): Promise<boolean> => !(await lstat(path)).isSymbolicLink()
  await cp((await findInstallation()).native, native, { recursive: true, filter: isNoLink })
  const account = await accountFor(join(dataDir, 'postgres'))
  const { postgres } = await provideBinaries({ version: '18-test', native }, { dataDir, account })
  expect(postgres).toBe(join(dataDir, 'postgres-18-test', 'native', 'bin', 'postgres'))
  const { stdout } = await run(postgres, ['--version'], { ...asAccount(account), cwd: '/' })
  expect(stdout).toContain('PostgreSQL) 18')
})
