/**
 * What the demo plays on: a Tidegate with its own embedded PostgreSQL, and a second PostgreSQL as the target, both real
 * and both gone when it is over.
 */

import { createHash, randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import type { EmbeddedPostgres, RunningServer } from '@tidegate/server'
import { createLogger, loadSettings, startEmbeddedPostgres, startServer } from '@tidegate/server'
import pg from 'pg'
import { parseDocument } from 'yaml'
import type { Context, Invocation } from '../context.ts'
import { startBeside } from '../gateway/beside-server.ts'
import { sessionRules } from '../gateway/session-rules.ts'
import type { Sink } from '../streams.ts'

export const cast = ['alice', 'bob', 'carol', 'dora', 'sam', 'device-manager'] as const
export type Actor = (typeof cast)[number] | 'admin'

export type Ran = { readonly code: number; readonly output: string }

export type Stage = {
  readonly url: string
  readonly verifierKey: string
  readonly folder: string
  readonly target: EmbeddedPostgres
  readonly tokens: ReadonlyMap<Actor, string>
  readonly client: (actor: Actor) => Client
  /** Runs a command line of `tidegate` as this actor and returns what it printed. */
  readonly run: (actor: Actor, argv: readonly string[]) => Promise<Ran>
  /** Where the demo's configuration is, with this run's port and tokens in it. */
  readonly configuration: string
  /** Starts a gateway and writes the configuration that requires one. @returns its data folder */
  readonly bringGateway: () => Promise<string>
  readonly close: () => Promise<void>
}

type CommandLine = (context: Context, argv: readonly string[]) => Promise<number>

/** In a clone the examples stand at its root; in the published package beside `dist`. */
const exampleFolders = ['../../../../examples/orders/', '../../examples/orders/']

export async function setStage(invocation: Invocation, commandLine: CommandLine): Promise<Stage> {
  const folder = await mkdtemp(join(invocation.temporary, 'tidegate-demo-'))
  // As root the databases run under another account, which has to pass through here.
  await chmod(folder, 0o711)
  const opened: { readonly stop: () => Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const one of opened.toReversed()) await one.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const target = await startTarget(folder)
    opened.push(target)
    const server = await startTidegate(folder, { invocation, target })
    opened.push(server)
    const tokens = new Map<Actor, string>(cast.map((actor) => [actor, makeToken()]))
    tokens.set('admin', server.firstToken ?? '')
    const configuration = await writeConfiguration(folder, { target, tokens })
    const client = (actor: Actor): Client => createClient({ url: server.url, token: tokens.get(actor) ?? '' })
    const run = (actor: Actor, argv: readonly string[]): Promise<Ran> =>
      runAs({ invocation, commandLine, folder, url: server.url, token: tokens.get(actor) ?? '', argv })
    const bringGateway = async (): Promise<string> => {
      const dir = join(folder, 'gateway')
      const settings = { listen: { host: '127.0.0.1', port: 0 } }
      opened.push(await startBeside({ settings, dir }, { server, log: () => undefined }))
      await requireGateway(configuration)
      return dir
    }
    return {
      url: server.url,
      verifierKey: server.verifierKey,
      folder,
      target,
      tokens,
      client,
      run,
      configuration,
      bringGateway,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function startTarget(folder: string): Promise<EmbeddedPostgres> {
  const dataDir = join(folder, 'orders-db')
  await mkdir(dataDir)
  const target = await startEmbeddedPostgres({ dataDir, durable: true })
  const admin = new pg.Client({ connectionString: target.secretAdminUrl })
  await admin.connect()
  await admin.query('create database orders')
  await admin.end()
  return target
}

type World = { readonly invocation: Invocation; readonly target: EmbeddedPostgres }

async function startTidegate(folder: string, { invocation, target }: World): Promise<RunningServer> {
  const password = randomBytes(24).toString('base64url')
  await loadShop(target, password)
  const env = { TIDEGATE_DATA: join(folder, 'tidegate'), TIDEGATE_LISTEN: '127.0.0.1:0', TIDEGATE_LOG_LEVEL: 'silent' }
  const settings = await loadSettings(env, undefined)
  const secrets = { ...invocation.env, ORDERS_DB_ADMIN_PASSWORD: password }
  return startServer({ settings, env: secrets, logger: createLogger('silent'), sessionRules: await sessionRules() })
}

async function loadShop(target: EmbeddedPostgres, password: string): Promise<void> {
  const client = new pg.Client({ ...target.connection, database: 'orders' })
  await client.connect()
  await client.query(await readExample('shop.sql'))
  await client.query(`alter role tidegate_admin password ${client.escapeLiteral(password)}`)
  await client.end()
}

async function readExample(name: string): Promise<string> {
  for (const path of exampleFolders) {
    const text = await readFile(new URL(path + name, import.meta.url), 'utf8').catch(() => undefined)
    if (text !== undefined) return text
  }
  throw new Error(`The example ${name} is not where this package has it.`)
}

const makeToken = (): string => `tdg_${randomBytes(32).toString('base64url')}`
const hashOf = (token: string): string => `sha256:${createHash('sha256').update(token).digest('hex')}`

type Written = { readonly target: EmbeddedPostgres; readonly tokens: ReadonlyMap<Actor, string> }

/** The example configuration, with the target's port and everyone's token hash filled in. */
async function writeConfiguration(folder: string, { target, tokens }: Written): Promise<string> {
  const configuration = join(folder, 'configuration')
  await mkdir(configuration)
  const expires = new Date(Date.now() + 24 * 3_600_000).toISOString()
  const people = parseDocument(await readExample('people.yaml'))
  for (const list of ['users', 'services']) {
    const items = people.get(list) as { items: readonly unknown[] }
    for (const index of items.items.keys()) {
      const token = tokens.get(people.getIn([list, index, 'id']) as Actor)
      if (token !== undefined) people.setIn([list, index, 'tokens'], [{ hash: hashOf(token), expires }])
    }
  }
  const resource = parseDocument(await readExample('orders-db.yaml'))
  resource.setIn(['resources', 0, 'connection', 'port'], target.port)
  await Promise.all([
    writeFile(join(configuration, 'people.yaml'), String(people)),
    writeFile(join(configuration, 'orders-db.yaml'), String(resource)),
    writeFile(join(configuration, 'access.cedar'), await readExample('access.cedar')),
  ])
  return configuration
}

/** Nobody but a gateway gets a login of the resource then, and its readers only read. */
async function requireGateway(configuration: string): Promise<void> {
  const path = join(configuration, 'orders-db.yaml')
  const resource = parseDocument(await readFile(path, 'utf8'))
  resource.setIn(['resources', 0, 'gateway'], 'required')
  resource.setIn(['resources', 0, 'roles', 0, 'guard'], 'read-only')
  await writeFile(path, String(resource))
}

type Run = {
  readonly invocation: Invocation
  readonly commandLine: CommandLine
  readonly folder: string
  readonly url: string
  readonly token: string
  readonly argv: readonly string[]
}

/** The real command line, in this process, with its output caught. */
async function runAs({ invocation, commandLine, folder, url, token, argv }: Run): Promise<Ran> {
  const chunks: Buffer[] = []
  const sink = new PassThrough() as Sink & PassThrough
  sink.on('data', (chunk: Buffer) => chunks.push(chunk))
  const env = {
    PATH: invocation.env['PATH'],
    TIDEGATE_URL: url,
    TIDEGATE_TOKEN: token,
    XDG_STATE_HOME: join(folder, 'state'),
  }
  const stdin = new PassThrough()
  stdin.end()
  const code = await commandLine(
    { ...invocation, env, home: folder, stdin, stdout: sink, stderr: sink, childStdio: 'ignore' },
    argv,
  )
  return { code, output: Buffer.concat(chunks).toString('utf8') }
}
