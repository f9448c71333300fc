/** Servers on one store, with the targets they open: real processes all of them, each of which can be killed. */

import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@tidegate/api'
import { createClient } from '@tidegate/api'
import { secretUrlOf } from '../../packages/server/src/embedded/connection.ts'
import type { Random } from '../simulation/random.ts'
import { createRandom } from '../simulation/random.ts'
import { makeToken, peopleYaml, policies, resourceYaml } from '../support/tidegate.ts'
import type { Target } from '../support/target.ts'
import type { Cluster, Row } from './cluster.ts'
import { queryAt, startCluster } from './cluster.ts'
import { eventually } from './eventually.ts'
import { makeFolder } from './folder.ts'
import type { Link } from './network.ts'
import { openLink } from './network.ts'
import type { ServerProcess } from './server-process.ts'
import { createServerProcess } from './server-process.ts'

export type Member = ServerProcess & {
  /** On the way to the store, where the fleet was started with links. */
  readonly toStore: Link | undefined
}

export type CrashTarget = {
  readonly resource: string
  readonly cluster: Cluster
  readonly database: string
  /** On the way of the servers to it, where the fleet was started with links. Holders go past it. */
  readonly link: Link | undefined
  readonly prefix: string
}

export type Fleet = {
  readonly seed: string
  /** Of its own for each use, so that one scenario's draws do not move another's. */
  readonly random: (use: string) => Random
  readonly folder: string
  readonly targets: readonly CrashTarget[]
  readonly target: CrashTarget
  readonly members: readonly Member[]
  readonly clientOf: (who: string, member?: Member) => Client
  /** As the superuser, in the store. */
  readonly inStore: (text: string, values?: readonly unknown[]) => Promise<Row[]>
  readonly onTarget: (target: CrashTarget, text: string, values?: readonly unknown[]) => Promise<Row[]>
  /** Every member runs and answers from here on. */
  readonly startAll: () => Promise<void>
  readonly verifierKey: string
  readonly end: () => Promise<void>
}

/** With a store of its own, that can be killed as well. */
export type StoreFleet = Fleet & { readonly store: Cluster }

/** Its server runs the store itself. */
export type EmbeddedFleet = Fleet & { readonly server: Member; readonly dataDir: string }

type Options = {
  readonly seed: string
  readonly servers: number
  /** Each server reaches the store, and all of them the targets, through links. */
  readonly links?: boolean
  readonly resources?: readonly string[]
  readonly targetConnections?: number
  /** Where the targets keep their data. Absent: with everything else. */
  readonly targetDisk?: string | undefined
  readonly env?: Readonly<Record<string, string>>
}

/** Short, so that what a sweep or a question asked again would do happens within a scenario. */
const settings = { TIDEGATE_SWEEP_EVERY: '3s', TIDEGATE_REASK_EVERY: '5s' } as const

const storeDatabase = 'tidegate'
const storeOwner = { user: 'tidegate_owner', password: randomBytes(24).toString('hex') }

export const startFleet = (options: Options): Promise<StoreFleet> =>
  assembled(options, async (assembly) => {
    const store = await startStore(assembly)
    const fleet = await assemble(assembly, {
      query: (text, values) => store.query(storeDatabase, text, values),
      reach: (name) => reachStore(store, name, assembly),
    })
    return { ...fleet, store }
  })

type EmbeddedOptions = {
  readonly seed: string
  /** On which the data folder is. Absent: it is with everything else. */
  readonly disk?: string | undefined
}

/** One server, with a PostgreSQL of its own. */
export const startEmbeddedFleet = (options: EmbeddedOptions): Promise<EmbeddedFleet> =>
  assembled({ ...options, servers: 1 }, async (assembly) => {
    const dataDir = join(options.disk ?? assembly.folder, 'data')
    const fleet = await assemble(assembly, {
      query: async (text, values) => queryAt(await embeddedUrl(dataDir), text, values),
      reach: async () => ({ env: { TIDEGATE_DATA: dataDir }, toStore: undefined }),
    })
    const [server] = fleet.members
    if (!server) throw new Error('A fleet has a server.')
    // In order, so that its store has ended too when its folder is removed.
    assembly.onEnd(() => server.stop())
    return { ...fleet, server, dataDir }
  })

async function assembled<F extends Fleet>(options: Options, assemble: (assembly: Assembly) => Promise<F>): Promise<F> {
  const { path: folder, remove } = await makeFolder()
  const ending: (() => Promise<unknown>)[] = [remove]
  const end = async (): Promise<void> => {
    for (const one of ending.splice(0).toReversed()) await one()
  }
  try {
    return await assemble({ ...options, folder, onEnd: (one) => void ending.push(one), end })
  } catch (error) {
    await end()
    throw error
  }
}

type Assembly = Options & {
  readonly folder: string
  readonly onEnd: (one: () => Promise<unknown>) => void
  readonly end: () => Promise<void>
}

/** How a store is looked into, past Tidegate, and how a server gets to it. */
type StoreSide = {
  readonly query: Fleet['inStore']
  readonly reach: (name: string) => Promise<Reach>
}

type Reach = { readonly env: Readonly<Record<string, string>>; readonly toStore: Link | undefined }

async function assemble(assembly: Assembly, store: StoreSide): Promise<Fleet> {
  const { seed, folder, onEnd, end, resources = ['orders-db'] } = assembly
  const targets = await Promise.all(resources.map((id) => startTarget(id, assembly)))
  const members: Member[] = []
  for (let i = 1; i <= assembly.servers; i++) {
    members.push(await createMember({ name: `server-${i}`, store, targets, assembly }))
  }
  onEnd(() => Promise.all(members.map((member) => member.kill())))
  const [first] = members
  const [target] = targets
  if (!first || !target) throw new Error('A fleet has a server and a target.')
  await first.start()
  const people = createPeople()
  await configure({ first, people, targets })
  let turn = 0
  const alive = (): Member => {
    const up = members.filter((member) => member.isUp())
    return up[turn++ % up.length] ?? first
  }
  const startAll = async (): Promise<void> => {
    for (const member of members) if (!member.isUp()) member.launch()
    await Promise.all(members.map((member) => member.answers()))
  }
  await startAll()
  return {
    seed,
    random: (use) => createRandom(`${seed}/${use}`),
    folder,
    targets,
    target,
    members,
    clientOf: (who, member = alive()) => createClient({ url: member.url, token: people.tokenOf(who) }),
    inStore: store.query,
    onTarget: ({ cluster, database }, text, values) => cluster.query(database, text, values),
    startAll,
    verifierKey: (await (await fetch(`${first.url}/log/key`)).text()).trim(),
    end,
  }
}

async function startStore({ folder, onEnd }: Assembly): Promise<Cluster> {
  const store = await startCluster({ folder, name: 'store' })
  onEnd(() => store.end())
  // As an operator makes it: the servers are no superusers, and no connection is kept for them.
  await store.query('postgres', `CREATE ROLE ${storeOwner.user} LOGIN PASSWORD '${storeOwner.password}'`)
  await store.query('postgres', `CREATE DATABASE ${storeDatabase} OWNER ${storeOwner.user}`)
  return store
}

type MadeTarget = CrashTarget & { readonly target: Target }

/** A shop, with the login that a customer would give Tidegate, on a PostgreSQL of its own. */
async function startTarget(resource: string, assembly: Assembly): Promise<MadeTarget> {
  const { folder, onEnd, links, targetConnections = 100, targetDisk = folder } = assembly
  const cluster = await startCluster({ folder: targetDisk, name: resource, maxConnections: targetConnections })
  onEnd(() => cluster.end())
  const database = resource.replace('-', '_')
  const names = { owner: `${database}_owner`, admin: `${database}_admin` }
  const password = randomBytes(24).toString('hex')
  await cluster.query('postgres', `CREATE ROLE ${names.owner} NOLOGIN`)
  await cluster.query('postgres', `CREATE ROLE ${names.admin} LOGIN CREATEROLE NOSUPERUSER PASSWORD '${password}'`)
  await cluster.query('postgres', `GRANT ${names.owner} TO ${names.admin}`)
  await cluster.query('postgres', `CREATE DATABASE ${database} OWNER ${names.owner}`)
  const shop = await readFile(new URL('../support/shop.sql', import.meta.url), 'utf8')
  await cluster.query(database, `SET ROLE ${names.owner}; ${shop}`)
  const link = links ? await openLink(cluster.connection) : undefined
  if (link) onEnd(() => link.close())
  const { host, port } = link ?? cluster.connection
  const target: Target = {
    host,
    port,
    database,
    owner: names.owner,
    admin: { user: names.admin, password },
    superuserUrl: cluster.urlOf(database),
    drop: async () => undefined,
  }
  return { resource, cluster, database, link, prefix: `tg_${database.slice(-10)}_`, target }
}

async function reachStore(store: Cluster, name: string, { links, onEnd }: Assembly): Promise<Reach> {
  const toStore = links ? await openLink(store.connection) : undefined
  if (toStore) onEnd(() => toStore.close())
  const { host, port } = toStore ?? store.connection
  const url = new URL(secretUrlOf({ host, port, ...storeOwner, database: storeDatabase }))
  // Its connections bear its name, so that it can be told who holds what.
  url.searchParams.set('application_name', name)
  return { env: { DATABASE_URL: url.href, TIDEGATE_KEY: key }, toStore }
}

const key = randomBytes(32).toString('base64')

/** The embedded PostgreSQL has another port at each start, and says in its folder which. */
async function embeddedUrl(dataDir: string): Promise<string> {
  const [password, facts] = await Promise.all(
    ['superuser-password', 'postgres/postmaster.pid'].map((name) => readFile(join(dataDir, name), 'utf8')),
  )
  const port = facts?.split('\n')[3]
  return `postgres://tidegate:${password?.trim()}@127.0.0.1:${port}/${storeDatabase}`
}

type Joining = {
  readonly name: string
  readonly store: StoreSide
  readonly targets: readonly MadeTarget[]
  readonly assembly: Assembly
}

async function createMember({ name, store, targets, assembly }: Joining): Promise<Member> {
  const { env, toStore } = await store.reach(name)
  const passwords = Object.fromEntries(
    targets.map(({ resource, target }) => [passwordOf(resource), target.admin.password]),
  )
  const member = await createServerProcess({
    name,
    logFile: join(assembly.folder, `${name}.log`),
    env: { ...settings, ...passwords, ...assembly.env, ...env },
  })
  return { ...member, toStore }
}

const passwordOf = (resource: string): string => `${resource.replace('-', '_').toUpperCase()}_ADMIN_PASSWORD`

type People = { readonly tokenOf: (id: string) => string; readonly hashOf: (id: string) => string }

function createPeople(): People {
  const tokens = new Map<string, ReturnType<typeof makeToken>>()
  const of = (id: string): ReturnType<typeof makeToken> => {
    const token = tokens.get(id) ?? makeToken()
    tokens.set(id, token)
    return token
  }
  return { tokenOf: (id) => of(id).token, hashOf: (id) => of(id).hash }
}

type Configuring = { readonly first: Member; readonly people: People; readonly targets: readonly MadeTarget[] }

async function configure({ first, people, targets }: Configuring): Promise<void> {
  const token = await eventually({ what: 'the first token is printed', withinMs: 20_000 }, () =>
    /tdg_[A-Za-z0-9_-]{43}/.exec(first.written())?.at(0),
  )
  const [{ target }] = targets as [MadeTarget]
  const files = [
    { path: 'people.yaml', text: peopleYaml({ target, hashOf: people.hashOf }) },
    { path: 'access.cedar', text: policies },
    ...targets.map(({ resource, target: one }) => ({
      path: `${resource}.yaml`,
      text: resourceYaml(one)
        .replace('id: orders-db', `id: ${resource}`)
        .replace(passwordOf('orders-db'), passwordOf(resource)),
    })),
  ]
  await createClient({ url: first.url, token }).applyConfig({ files })
}

/** For a scenario to print, so that it can be run again as it was. */
export function announceSeed(scenario: string, seed: string): void {
  process.stdout.write(`crash: ${scenario}: seed ${seed}\n`)
}

/** As given in TIDEGATE_CRASH_SEED, or a new one. */
export const chooseSeed = (): string => process.env['TIDEGATE_CRASH_SEED'] ?? String(randomBytes(4).readUInt32BE())
