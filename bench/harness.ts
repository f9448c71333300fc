/** What benchmarks share: a Tidegate and a target of their own, interleaved measuring, and tables. */

import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import type { EmbeddedPostgres, RunningServer } from '@tidegate/server'
import { createLogger, loadSettings, startEmbeddedPostgres, startServer } from '@tidegate/server'
import pg from 'pg'

export type Bench = {
  readonly name: string
  readonly about: string
  /** Prints nothing; says what it measured. */
  readonly run: (options: BenchOptions) => Promise<readonly Row[]>
}

export type BenchOptions = { readonly rounds: number; readonly note: (text: string) => void }

/** One line of the table. `ratio` is against the row it names, of the same run. */
export type Row = {
  readonly what: string
  readonly p50: number
  readonly p95: number
  readonly unit: 'ms'
  readonly rounds: number
  readonly ratio?: { readonly to: string; readonly of50: number; readonly atMost?: number }
}

export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN

export function rowOf(what: string, samples: readonly number[]): Row {
  const sorted = samples.toSorted((a, b) => a - b)
  return { what, p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), unit: 'ms', rounds: samples.length }
}

export const against = (row: Row, base: Row, atMost?: number): Row => ({
  ...row,
  ratio: { to: base.what, of50: row.p50 / base.p50, ...(atMost !== undefined && { atMost }) },
})

/** Runs the sides in turn, in a new order each round, so that what else the machine does falls on all of them. */
export async function interleave(
  sides: Readonly<Record<string, () => Promise<void>>>,
  rounds: number,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const samples = Object.fromEntries(Object.keys(sides).map((name): [string, number[]] => [name, []]))
  const names = Object.keys(sides)
  for (let round = 0; round < rounds; round++) {
    const turned = [...names.slice(round % names.length), ...names.slice(0, round % names.length)]
    for (const name of turned) {
      const begun = performance.now()
      await sides[name]?.()
      samples[name]?.push(performance.now() - begun)
    }
  }
  return samples
}

export type Stand = {
  readonly server: RunningServer
  readonly target: EmbeddedPostgres
  readonly alice: Client
  /** As the admin login of the target that Tidegate uses. */
  readonly targetAdmin: pg.Client
  readonly close: () => Promise<void>
}

const example = (name: string): Promise<string> =>
  readFile(new URL(`../examples/orders/${name}`, import.meta.url), 'utf8')
const makeToken = (): string => `tdg_${randomBytes(32).toString('base64url')}`
const hashOf = (token: string): string => `sha256:${createHash('sha256').update(token).digest('hex')}`

/** The shop of the examples, with durable databases on the disk of the temporary folder. */
export async function setUp(): Promise<Stand> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-'))
  await chmod(folder, 0o711)
  const targetDir = join(folder, 'target')
  await mkdir(targetDir)
  const target = await startEmbeddedPostgres({
    dataDir: targetDir,
    durable: true,
    settings: { max_connections: '700' },
  })
  const password = randomBytes(24).toString('base64url')
  await loadShop(target, password)
  const settings = await loadSettings(
    { TIDEGATE_DATA: join(folder, 'tidegate'), TIDEGATE_LISTEN: '127.0.0.1:0', TIDEGATE_LOG_LEVEL: 'silent' },
    undefined,
  )
  const server = await startServer({
    settings,
    env: { ORDERS_DB_ADMIN_PASSWORD: password },
    logger: createLogger('silent'),
  })
  const token = makeToken()
  await createClient({ url: server.url, token: server.firstToken ?? '' }).applyConfig({
    files: [
      { path: 'people.yaml', text: peopleOf(token) },
      { path: 'orders-db.yaml', text: (await example('orders-db.yaml')).replace('port: 5433', `port: ${target.port}`) },
      {
        path: 'access.cedar',
        text: (await example('access.cedar'))
          .replaceAll('Group::"team-leads"', 'Group::"engineers"')
          .replace('team-leads', 'engineers'),
      },
    ],
  })
  const targetAdmin = new pg.Client({
    host: '127.0.0.1',
    port: target.port,
    database: 'orders',
    user: 'tidegate_admin',
    password,
  })
  await targetAdmin.connect()
  return {
    server,
    target,
    alice: createClient({ url: server.url, token }),
    targetAdmin,
    async close() {
      await targetAdmin.end()
      await server.stop()
      await target.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const peopleOf = (token: string): string => `
settings: { administrators: tidegate-admins }
users:
  - { id: alice, tokens: [{ hash: '${hashOf(token)}', expires: '${new Date(Date.now() + 86_400_000).toISOString()}' }] }
groups:
  - { id: engineers, members: [alice] }
  - { id: orders-team, members: [] }
  - { id: tidegate-admins, members: [] }
`

async function loadShop(target: EmbeddedPostgres, password: string): Promise<void> {
  const admin = new pg.Client({ connectionString: target.secretAdminUrl })
  await admin.connect()
  await admin.query('create database orders')
  await admin.end()
  const client = new pg.Client({ ...target.connection, database: 'orders' })
  await client.connect()
  await client.query(await example('shop.sql'))
  await client.query(`alter role tidegate_admin password ${client.escapeLiteral(password)}`)
  await client.end()
}
