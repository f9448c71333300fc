/** Programs of others that the gateway is measured with and beside. Where one is missing, its rows are left out. */

import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { freePort } from '../packages/server/src/embedded/port.ts'
import type { Login } from './access.ts'

const run = promisify(execFile)

export type Program = { readonly path: string; readonly version: string }

/** Debian keeps servers where only root looks. `undefined`: not there, or only a wrapper around what is not there. */
export function findProgram(name: string): Program | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
  const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file))
  if (path === undefined) return undefined
  const asked = spawnSync(path, ['--version'], { encoding: 'utf8' })
  return asked.status === 0 ? { path, version: asked.stdout.split('\n')[0] ?? '' } : undefined
}

/** A login over TLS, by `sslmode=require`, where it says so. */
export type ProgramLogin = Login & { readonly tls?: boolean }

/** How libpq is told where to go: no password stands in a list of processes. */
const environmentOf = ({ host, port, user, password, database, tls }: ProgramLogin): NodeJS.ProcessEnv => ({
  ...process.env,
  PGHOST: host,
  PGPORT: String(port),
  PGUSER: user,
  PGPASSWORD: password,
  PGDATABASE: database,
  PGSSLMODE: tls === true ? 'require' : 'disable',
  PGGSSENCMODE: 'disable',
})

async function tell(program: Program, argv: readonly string[], login: ProgramLogin): Promise<string> {
  const { stdout } = await run(program.path, [...argv], { env: environmentOf(login), maxBuffer: 2 ** 24 })
  return stdout
}

export const makeTables = (pgbench: Program, login: Login, scale: number): Promise<string> =>
  tell(pgbench, ['--initialize', '--quiet', `--scale=${scale}`], login)

export type Load = {
  readonly argv: readonly string[]
  readonly clients: number
  readonly seconds: number
}

/** Transactions a second. @throws when one of them failed */
export async function pgbenchRate(pgbench: Program, login: ProgramLogin, load: Load): Promise<number> {
  const { argv, clients, seconds } = load
  const threads = Math.min(clients, 2)
  const size = [`--client=${clients}`, `--jobs=${threads}`, `--time=${seconds}`]
  const said = await tell(pgbench, ['--no-vacuum', ...size, ...argv], login)
  const rate = Number(/^tps = ([\d.]+)/m.exec(said)?.[1])
  if (!(rate > 0) || /^number of failed transactions: [1-9]/m.test(said)) throw new Error(`pgbench said: ${said}`)
  return rate
}

/** How long a command of psql took by its own clock, in ms: without its start and its login. */
export async function psqlMs(psql: Program, login: Login, command: string): Promise<number> {
  const stop = ['-v', 'ON_ERROR_STOP=1']
  const said = await tell(psql, ['-X', '-q', ...stop, '-c', String.raw`\timing on`, '-c', command], login)
  const ms = Number(/^Time: ([\d.]+) ms/m.exec(said)?.[1])
  if (!(ms > 0)) throw new Error(`psql said: ${said}`)
  return ms
}

export type Pgbouncer = { readonly port: number; readonly stop: () => Promise<void> }

/** In session mode, with as many logins to the target as are asked for. */
export async function startPgbouncer({ path }: Program, folder: string, target: Login): Promise<Pgbouncer> {
  const own = join(folder, 'pgbouncer')
  const port = await freePort()
  await mkdir(own, { mode: 0o700 })
  const users = join(own, 'users.txt')
  const config = join(own, 'pgbouncer.ini')
  await writeFile(users, `"${target.user}" "${target.password}"\n`, { mode: 0o600 })
  await writeFile(config, configOf({ target, port, users }), { mode: 0o600 })
  if (isRoot) await Promise.all([own, users, config].map((file) => chown(file, nobody, nobody)))
  const child = spawn(path, ['-q', config], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  await answers({ ...target, port }, child)
  return {
    port,
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** It does not run as root, and becomes somebody else if it is told to. */
const isRoot = process.getuid?.() === 0
const nobody = 65_534

type Configured = { readonly target: Login; readonly port: number; readonly users: string }

const configOf = ({ target, port, users }: Configured): string => `[databases]
${target.database} = host=${target.host} port=${target.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = session
default_pool_size = 100
max_client_conn = 1000
log_connections = 0
log_disconnections = 0
${isRoot ? 'user = nobody' : ''}
`

async function answers(login: Login, child: { readonly exitCode: number | null }): Promise<void> {
  for (let tries = 0; tries < 100 && child.exitCode === null; tries++) {
    const client = new pg.Client(login)
    try {
      await client.connect()
      await client.end()
      return
    } catch {
      await delay(100)
    }
  }
  throw new Error('PgBouncer does not answer.')
}
