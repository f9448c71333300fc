/** PgBouncer in front of the target cluster, for whoever goes through it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { freePort } from '../../packages/server/src/embedded/port.ts'
import { withClient } from './clients.ts'
import { clusterOf } from './databases.ts'
import { eventually } from './eventually.ts'

/** Debian keeps servers where only root looks. */
const program = '/usr/sbin/pgbouncer'

export type Pooler = { readonly host: string; readonly port: number }

type Config = {
  readonly mode: 'session' | 'transaction'
  readonly authQuery: string
  /** In the words of its file. */
  readonly more?: string
}

export async function startPgbouncerForTest({ mode, authQuery, more = '' }: Config): Promise<Pooler> {
  const { host, port: targetPort, user, password } = clusterOf('target')
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-pgbouncer-'))
  const [users, config] = [join(folder, 'users.txt'), join(folder, 'pgbouncer.ini')]
  await writeFile(users, `"${user}" "${password}"\n`, { mode: 0o600 })
  const settings = `[databases]
* = host=${host} port=${targetPort} auth_user=${user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
auth_query = ${authQuery}
pool_mode = ${mode}
server_login_retry = 1
query_wait_timeout = 2
${more}
${isRoot ? 'user = nobody' : ''}
`
  await writeFile(config, settings, { mode: 0o600 })
  if (isRoot) await Promise.all([folder, users, config].map((file) => chown(file, nobody, nobody)))
  const child = spawn(program, ['-q', config], { stdio: 'ignore' })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true, force: true })
  })
  const here = { host: '127.0.0.1', port, user, password, database: 'postgres' }
  await eventually(() => withClient(here, (client) => client.query('select 1')))
  return { host: '127.0.0.1', port }
}

/** It does not run as root, and becomes somebody else if it is told to. */
const isRoot = process.getuid?.() === 0
const nobody = 65_534
