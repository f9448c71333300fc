/**
 * A PostgreSQL of a test's own, and the target of all: the one that comes with the packages, or where
 * `TIDEGATE_TARGET_POSTGRES` names the folder of another (`/usr/lib/postgresql/15`), that.
 */

import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { accountFor, type Account, asAccount } from '../../packages/server/src/embedded/account.ts'
import { bareEnvironment, clusterIn, superuser } from '../../packages/server/src/embedded/cluster.ts'
import { type Connection, secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import { prepareDataDir } from '../../packages/server/src/embedded/data-dir.ts'
import { freePort } from '../../packages/server/src/embedded/port.ts'
import { startServer } from '../../packages/server/src/embedded/server.ts'
import { startEmbeddedPostgres } from '../../packages/server/src/embedded/start.ts'

const run = promisify(execFile)

type Options = {
  readonly dataDir: string
  readonly durable: boolean
  readonly settings?: Readonly<Record<string, string>>
}

export type TestPostgres = {
  readonly connection: Connection
  readonly secretAdminUrl: string
  readonly stop: () => Promise<void>
}

const installed = process.env['TIDEGATE_TARGET_POSTGRES']

export const startTargetPostgres = (options: Options): Promise<TestPostgres> =>
  installed === undefined ? startEmbeddedPostgres(options) : startInstalled(join(installed, 'bin'), options)

async function startInstalled(bin: string, { dataDir, durable, settings = {} }: Options): Promise<TestPostgres> {
  const account = await accountFor(clusterIn(dataDir))
  await prepareDataDir(dataDir, account)
  const cluster = clusterIn(dataDir)
  const password = randomBytes(24).toString('hex')
  await makeCluster(join(bin, 'initdb'), { cluster, account, password })
  const server = await startServer(
    {
      postgres: join(bin, 'postgres'),
      cluster,
      account,
      settings: { timezone: 'UTC', log_timezone: 'UTC', fsync: durable ? 'on' : 'off', ...settings },
      log: () => undefined,
    },
    await freePort(),
  )
  const connection = { host: '127.0.0.1', port: server.port, user: superuser, password, database: 'postgres' }
  return { connection, secretAdminUrl: secretUrlOf(connection), stop: () => server.stop('fast') }
}

type Making = { readonly cluster: string; readonly account: Account | undefined; readonly password: string }

async function makeCluster(initdb: string, { cluster, account, password }: Making): Promise<void> {
  const passwordFile = `${cluster}.password`
  await mkdir(cluster, { mode: 0o700 })
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account) await Promise.all([cluster, passwordFile].map((path) => chown(path, account.uid, account.gid)))
  const where = [`--pgdata=${cluster}`, `--pwfile=${passwordFile}`, `--username=${superuser}`]
  const what = ['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync']
  await run(initdb, [...where, ...what], { ...asAccount(account), cwd: '/', env: bareEnvironment })
  await rm(passwordFile)
}
