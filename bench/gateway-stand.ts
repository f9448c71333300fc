/** What the gateway is measured against: one target, and the ways to it. */

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '@tidegate/server'
import pg from 'pg'
import { scramVerifier } from '../packages/connectors/src/postgres/scram.ts'
import { makeCertificates } from '../packages/gateway/src/postgres/testing/certificates.ts'
import type { Login } from './access.ts'
import { type Middle, startGateway, startRelay, startStandIn, startWorkers } from './gateway-middle.ts'
import { findProgram, type Program, startPgbouncer } from './gateway-programs.ts'
import type { BenchOptions } from './harness.ts'

export type SideName = 'direct' | 'relay' | 'pgbouncer' | 'gateway' | 'workers'

/** As many as this machine, and most that run a gateway at all, have processors for. */
export const workers = 2

export const words: Readonly<Record<SideName, string>> = {
  direct: 'direct',
  relay: 'bare Node relay',
  pgbouncer: 'PgBouncer',
  gateway: 'gateway',
  workers: `gateway of ${workers} processes`,
}

/** What is compared with the others. */
export const ours = ['gateway', 'workers'] as const
export type Ours = (typeof ours)[number]

/** One way to the target. */
export type Side = { readonly name: SideName; readonly reads: Login; readonly writes: Login }

export type GatewayStand = {
  readonly folder: string
  /** Straight to the target. */
  readonly login: Login
  /** As who owns what is in it. */
  readonly owner: pg.Client
  readonly relay: Middle
  readonly gateway: Middle
  /** The same as several processes. */
  readonly workers: Middle
  readonly sides: readonly Side[]
  /** At the gateway, by the names that it knows. */
  readonly asUser: (user: 'reader' | 'again' | 'masked' | 'searched', side?: 'gateway' | 'workers') => Login
  /** Absent: not on this machine. */
  readonly pgbench: Program | undefined
  readonly psql: Program | undefined
  readonly close: () => Promise<void>
}

export const token = (): string => randomBytes(32).toString('base64url')
export const verifierOf = (secret: string): Promise<string> => scramVerifier(secret, randomBytes(16))

export async function setUpGateway(options: BenchOptions): Promise<GatewayStand> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-'))
  await chmod(folder, 0o711)
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })]
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).toReversed()) await one()
  }
  try {
    const tls = await makeCertificates()
    closing.push(tls.remove)
    const { login, stop } = await startTarget(folder, options)
    closing.push(stop)
    const owner = new pg.Client(login)
    await owner.connect()
    closing.push(() => owner.end())
    const { host, port } = login
    const relay = await startRelay({ host, port }, options)
    closing.push(relay.stop)
    const secret = token()
    const [target, verifier] = [asTarget(login), await verifierOf(secret)]
    const setup = { target, verifier, tls: tls.server }
    const gateway = await startGateway({ ...setup, dir: join(folder, 'recordings') }, options)
    closing.push(gateway.stop)
    const several = await startWorkers({ ...setup, dir: join(folder, 'recordings-of-workers'), workers }, options)
    closing.push(several.stop)
    const pgbouncer = await standPgbouncer(folder, login, options)
    if (pgbouncer !== undefined) closing.push(pgbouncer.stop)
    const between = { relay, gateway, workers: several }
    const sides = sidesOf(login, { ...between, pgbouncer, secret })
    const asUser: GatewayStand['asUser'] = (user, side = 'gateway') => ({
      ...login,
      port: between[side].port,
      user,
      password: secret,
    })
    return { folder, login, owner, ...between, sides, asUser, ...standPrograms(options), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** How a gateway gets into what others log in to. */
export const asTarget = ({ password: secret, ...where }: Login) => ({ ...where, secret, tls: 'disable' }) as const

export type Elsewhere = { readonly login: Login; readonly stop: () => Promise<void> }

/** What stands in for a target, and how to get into it. */
export async function standInForTarget(): Promise<Elsewhere> {
  const password = token()
  const { host, port, stop } = await startStandIn({ verifier: await verifierOf(password) })
  return { login: { host, port, user: 'bench', database: 'bench', password }, stop }
}

type Port = { readonly port: number }
type InBetween = {
  readonly relay: Port
  readonly pgbouncer: Port | undefined
  readonly gateway: Port
  readonly workers: Port
  /** The password at the gateway. */
  readonly secret: string
}

function sidesOf(login: Login, { relay, pgbouncer, gateway, workers, secret }: InBetween): readonly Side[] {
  const through = ({ port }: Port): Omit<Side, 'name'> => {
    const both = { ...login, port }
    return { reads: both, writes: both }
  }
  const known = ({ port }: Port): Omit<Side, 'name'> => {
    const at = { ...login, port, password: secret }
    return { reads: { ...at, user: 'reader' }, writes: { ...at, user: 'writer' } }
  }
  return [
    { name: 'direct', ...through(login) },
    { name: 'relay', ...through(relay) },
    ...(pgbouncer === undefined ? [] : [{ name: 'pgbouncer' as const, ...through(pgbouncer) }]),
    { name: 'gateway', ...known(gateway) },
    { name: 'workers', ...known(workers) },
  ]
}

const install = {
  pgbench: 'apt-get install postgresql-contrib',
  psql: 'apt-get install postgresql-client',
  pgbouncer: 'apt-get install pgbouncer',
} as const

function find(name: keyof typeof install, { report }: BenchOptions): Program | undefined {
  const program = findProgram(name)
  report({ [name]: program?.version ?? `not on this machine, so its rows are left out: ${install[name]}` })
  return program
}

const standPrograms = (options: BenchOptions): Pick<GatewayStand, 'pgbench' | 'psql'> => ({
  pgbench: find('pgbench', options),
  psql: find('psql', options),
})

async function standPgbouncer(folder: string, login: Login, options: BenchOptions) {
  const program = find('pgbouncer', options)
  return program && startPgbouncer(program, folder, login)
}

/** What is read fits in its memory, and its log of writes is synchronised as in life. */
async function startTarget(
  folder: string,
  { report }: BenchOptions,
): Promise<{ login: Login; stop: () => Promise<void> }> {
  const dataDir = join(folder, 'target')
  await mkdir(dataDir)
  // Sessions that end by the hundred take a while to leave, and as many others come meanwhile.
  const settings = { max_connections: '1500', shared_buffers: '1GB', max_wal_size: '8GB' }
  const postgres = await startEmbeddedPostgres({ dataDir, durable: true, settings })
  const login = { ...postgres.connection, user: 'bench', database: 'bench', password: token() }
  const admin = new pg.Client(postgres.connection)
  await admin.connect()
  await admin.query(`create role bench login password '${login.password}'`)
  await admin.query('grant pg_checkpoint to bench')
  await admin.query('create database bench owner bench')
  const { rows } = await admin.query<Record<'version' | 'fsync' | 'commit', string>>(`
    select current_setting('server_version') as version, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as commit`)
  for (const { version, fsync, commit } of rows)
    report({ PostgreSQL: `${version}, fsync ${fsync}, synchronous_commit ${commit}` })
  await admin.end()
  return { login, stop: () => postgres.stop() }
}
