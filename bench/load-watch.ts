/** The server from outside while it works: its memory, its time on the processor, its connections. */

import { readFile } from 'node:fs/promises'
import { settingRows } from '@tidegate/server'
import pg from 'pg'
import { gatewayServerLimits } from '../packages/server/src/gateways/limits.ts'
import { reconcilerLimits } from '../packages/server/src/reconciler/limits.ts'
import { targetLimits } from '../packages/server/src/targets/limits.ts'
import type { Row } from './harness.ts'
import { figureOf } from './harness.ts'
import type { Stand } from './stand.ts'

export type Watched = {
  /** From here on it is another part of the run. */
  readonly mark: (part: 'steady' | 'crowd' | 'over') => void
  readonly rows: () => readonly Row[]
  readonly stop: () => Promise<void>
}

type Sample = {
  readonly part: string
  readonly at: number
  readonly rssMb: number
  readonly cpuSeconds: number
  readonly toStore: number
  readonly toTarget: number
}

const everyMs = 2_000
/** Of the steady part, before which heap and caches still grow into their size. */
const warmShare = 0.3
/** What a heap may seem to drift by within minutes. A leak of one grant's worth at each cycle is above it. */
const flat = { atMost: 2 } as const

/** The pools of calls, of work on targets, of closing and of gateways, and the one that listens; what the connector says of itself. */
const pools = [
  Number(settingRows.maxConnections.default),
  targetLimits.atOnce,
  reconcilerLimits.workers,
  gatewayServerLimits.connections,
]
const bounds = {
  store: { atMost: pools.reduce((sum, connections) => sum + connections, 1) },
  target: { atMost: targetLimits.connector.maxConnections },
} as const

export async function watchServer({ server, store, target }: Stand): Promise<Watched> {
  const samples: Sample[] = []
  let part = 'held'
  const clients = await Promise.all([store.postgres.secretAdminUrl, target.secretAdminUrl].map(connect))
  const [toStore, toTarget] = clients
  const look = async (): Promise<void> => {
    const [rssMb = Number.NaN, cpuSeconds, ...counts] = await Promise.all([
      server.rssMb(),
      cpuOf(server.pid),
      connectionsOf(toStore),
      connectionsOf(toTarget),
    ])
    const [ofStore, ofTarget] = counts
    samples.push({ part, at: Date.now(), rssMb, cpuSeconds, toStore: ofStore, toTarget: ofTarget })
  }
  const timer = setInterval(() => void look().catch(() => undefined), everyMs)
  await look()
  return {
    mark: (next) => void (part = next),
    rows: () => rowsOf(samples, server.complaints()),
    async stop() {
      clearInterval(timer)
      await Promise.all(clients.map((client) => client.end()))
    },
  }
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return client
}

async function connectionsOf(client: pg.Client | undefined): Promise<number> {
  const answer = await client?.query<{ count: number }>({
    name: 'bench-connections',
    text: `select count(*)::int as count from pg_stat_activity where application_name like 'tidegate%'`,
  })
  return answer?.rows[0]?.count ?? Number.NaN
}

/** User and system time, in the hundredths of a second that Linux counts in. */
async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function rowsOf(samples: readonly Sample[], complaints: readonly string[]): readonly Row[] {
  const steady = samples.filter(({ part }) => part === 'steady')
  const warm = steady.slice(Math.floor(steady.length * warmShare))
  const [first] = steady
  const last = steady.at(-1)
  const most = (of: (sample: Sample) => number): number => Math.max(...samples.map(of))
  const share = first && last ? (last.cpuSeconds - first.cpuSeconds) / ((last.at - first.at) / 1_000) : Number.NaN
  return [
    figureOf('server: resident when the load began', first?.rssMb ?? Number.NaN, 'MB'),
    figureOf('server: resident when it ended', last?.rssMb ?? Number.NaN, 'MB'),
    figureOf(
      'server: resident at most',
      most(({ rssMb }) => rssMb),
      'MB',
    ),
    figureOf('server: slope of resident under load, warmed up', slopePerMinute(warm), 'MB/min', flat),
    figureOf('server: processors in use under load', share, 'count'),
    figureOf(
      'server: connections to its store, at most',
      most(({ toStore }) => toStore),
      'count',
      bounds.store,
    ),
    figureOf(
      'server: connections to the target, at most',
      most(({ toTarget }) => toTarget),
      'count',
      bounds.target,
    ),
    figureOf('server: warnings and errors logged', complaints.length, 'count', { atMost: 0 }),
  ]
}

/** Least squares. */
function slopePerMinute(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, one) => sum + of(one), 0) / samples.length
  const at = mean((one) => one.at)
  const rss = mean((one) => one.rssMb)
  const covariance = mean((one) => (one.at - at) * (one.rssMb - rss))
  const variance = mean((one) => (one.at - at) ** 2)
  return (covariance / variance) * 60_000
}
