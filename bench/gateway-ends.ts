/** How long a session outlives its end, while hundreds of them are in the middle of a statement. */

import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { Login, Moment } from './access.ts'
import { connectRaw, type RawClient, statements } from './gateway-clients.ts'
import { type Middle, startGateway, startRelay, startWorkers } from './gateway-middle.ts'
import {
  asTarget,
  type GatewayStand,
  type Ours,
  ours,
  standInForTarget,
  token,
  verifierOf,
  words,
  workers,
} from './gateway-stand.ts'
import type { BenchOptions, Row } from './harness.ts'
import { figureOf, inParallel, numbers, tailOf, turned } from './harness.ts'

/** Logins under way at once. */
const width = 16
/** All that run out by and by do so within this. */
const withinMs = 1_000
/** Until the first does, and until all are revoked: what begins with a session, as its recording does, has begun. */
const settleMs = 1_000

/** Whoever is not cut by then is not going to be. */
const cutWithinMs = 30_000

type Way = { readonly middle: Middle; readonly login: Login }

type Ways = { readonly relay: Way } & Readonly<Record<Ours, Way>>

/** The ends of many sessions wake as many processes of a PostgreSQL, which take the processors of whoever is beside it. */
export async function ending(stand: GatewayStand, options: BenchOptions): Promise<Row[]> {
  const { folder, login, relay, gateway, workers: several, asUser } = stand
  const beside: Ways = {
    relay: { middle: relay, login: { ...login, port: relay.port } },
    gateway: { middle: gateway, login: asUser('reader') },
    workers: { middle: several, login: asUser('reader', 'workers') },
  }
  const rows = await endingBeside(beside, { where: 'PostgreSQL beside it', ...options })
  const elsewhere = await standElsewhere(folder, options)
  try {
    return [...rows, ...(await endingBeside(elsewhere.ways, { where: 'stand-in', ...options }))]
  } finally {
    await elsewhere.stop()
  }
}

async function standElsewhere(
  folder: string,
  options: BenchOptions,
): Promise<{ ways: Ways; stop: () => Promise<void> }> {
  const standIn = await standInForTarget()
  const { host, port } = standIn.login
  const secret = token()
  const setup = { target: asTarget(standIn.login), verifier: await verifierOf(secret) }
  const relay = await startRelay({ host, port }, options)
  const gateway = await startGateway({ ...setup, dir: join(folder, 'recordings-of-ends') }, options)
  const several = await startWorkers({ ...setup, dir: join(folder, 'recordings-of-ends-of-workers'), workers }, options)
  const known = (middle: Middle): Way => ({
    middle,
    login: { ...standIn.login, port: middle.port, user: 'reader', password: secret },
  })
  return {
    ways: {
      relay: { middle: relay, login: { ...standIn.login, port: relay.port } },
      gateway: known(gateway),
      workers: known(several),
    },
    async stop() {
      await Promise.all([relay, gateway, several].map((middle) => middle.stop()))
      await standIn.stop()
    },
  }
}

type Ending = BenchOptions & { readonly where: string }

const kinds = ['expiry', 'instant', 'one', 'all'] as const
type Late = Record<(typeof kinds)[number], Lateness[]>
const none = (): Late => ({ expiry: [], instant: [], one: [], all: [] })

async function endingBeside(ways: Ways, { where, quick, note, ...options }: Ending): Promise<Row[]> {
  const count = quick ? 50 : 500
  const alone = quick ? 10 : 100
  const rounds = options.rounds ?? (quick ? 1 : 3)
  const floor: Lateness[] = []
  const late: Readonly<Record<Ours, Late>> = { gateway: none(), workers: none() }
  // The first is to have compiled what ends a session, as in a process that has ended some before.
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    note(`ending ${count} busy sessions, ${where}, round ${round}`)
    const cut = await cutTogether(ways.relay, count)
    if (round > 0) floor.push(...cut)
    for (const side of turned(ours, round)) {
      const found = await endEachWay(ways[side], { count, alone })
      if (round > 0) for (const kind of kinds) late[side][kind].push(...found[kind])
    }
  }
  const all = [floor, ...ours.flatMap((side) => Object.values(late[side]))].flat()
  const neverCut = all.filter((one) => one === undefined).length
  const busy = `${count} busy, ${where}`
  return [
    tailOf(`cut to the client's socket closing, ${busy}: bare Node relay, all at once`, floor),
    ...ours.flatMap((side) => rowsOf(`${busy}: ${words[side]}`, late[side])),
    figureOf(`of all these, ${where}, not closed within ${cutWithinMs / 1_000} s`, neverCut, 'count', { atMost: 0 }),
  ]
}

async function endEachWay(way: Way, { count, alone }: Some): Promise<Late> {
  return {
    expiry: await expire(way, { count, withinMs }),
    instant: await expire(way, { count, withinMs: 0 }),
    one: await cutOneByOne(way, { count, alone }),
    all: await cutTogether(way, count),
  }
}

function rowsOf(busy: string, late: Late): Row[] {
  const bound = { atMost: 50 }
  return [
    tailOf(`expiry to the client's socket closing, ${busy}, all within ${withinMs / 1_000} s`, late.expiry, bound),
    tailOf(`expiry to the client's socket closing, ${busy}, all at one instant`, late.instant, bound),
    tailOf(`revoke to the client's socket closing, ${busy}, one at a time`, late.one, bound),
    tailOf(`revoke to the client's socket closing, ${busy}, all at once`, late.all, bound),
  ]
}

async function busy({ login }: Way, count: number): Promise<readonly RawClient[]> {
  const clients = await inParallel(numbers(count), width, () => connectRaw(login))
  // Their statements are as far apart as the sessions of many people are.
  await Promise.all(
    clients.map(async (client, i) => {
      await client.say(`select pg_sleep(${(0.2 * i) / count})`)
      client.keepSaying(statements)
    }),
  )
  return clients
}

/** In ms; `undefined`: it was not cut. */
type Lateness = number | undefined

async function lateness({ cut, drop }: RawClient, since: (cut: Moment) => number): Promise<Lateness> {
  const late = delay(cutWithinMs, undefined, { ref: false })
  const moment = await Promise.race([cut, late])
  if (moment === undefined) drop()
  return moment && since(moment)
}

type Expiring = { readonly count: number; readonly withinMs: number }

async function expire(way: Way, { count, withinMs }: Expiring): Promise<Lateness[]> {
  const clients = await busy(way, count)
  const begin = Date.now() + settleMs
  const atEpochMs = clients.map((_, i) => begin + Math.floor((i * withinMs) / count))
  way.middle.cut({ ports: clients.map(({ port }) => port), atEpochMs })
  return Promise.all(clients.map((client, i) => lateness(client, ({ epochMs }) => epochMs - (atEpochMs[i] ?? 0))))
}

async function cutTogether(way: Way, count: number): Promise<Lateness[]> {
  const clients = await busy(way, count)
  await delay(settleMs)
  const asked = performance.now()
  way.middle.cut({ ports: clients.map(({ port }) => port) })
  return Promise.all(clients.map((client) => lateness(client, ({ ms }) => ms - asked)))
}

type Some = { readonly count: number; readonly alone: number }

/** The others go on meanwhile, and are dropped afterwards. */
async function cutOneByOne(way: Way, { count, alone }: Some): Promise<Lateness[]> {
  const clients = await busy(way, count)
  const samples: Lateness[] = []
  for (const client of clients.slice(0, alone)) {
    const asked = performance.now()
    way.middle.cut({ ports: [client.port] })
    samples.push(await lateness(client, ({ ms }) => ms - asked))
  }
  for (const client of clients) client.drop()
  await Promise.all(clients.map(({ cut }) => cut))
  return samples
}
