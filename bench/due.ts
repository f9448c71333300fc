/**
 * A million grants in the store: how long it takes to find and lock the next thousand that are due, and what a server
 * weighs that has nothing to do but wait for them.
 *
 * The product picks those of one resource in a transaction, and here hardly two in a row are of the same. So its own
 * pick is asked a thousand times, and its condition once for a thousand.
 */

import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectorKinds } from '@tidegate/connectors'
import type { GrantId, Instant } from '@tidegate/core'
import { instant } from '@tidegate/core'
import { createLogger } from '@tidegate/server'
import { sql } from 'kysely'
import type pg from 'pg'
import { createConfigurations } from '../packages/server/src/configuration/configurations.ts'
import { findPrincipals } from '../packages/server/src/identity/principals.ts'
import type { Activation } from '../packages/server/src/lifecycle/activate-grant.ts'
import { runCrew } from '../packages/server/src/reconciler/crew.ts'
import { pickDue, stepGrants } from '../packages/server/src/reconciler/grant-step.ts'
import { reconcilerLimits } from '../packages/server/src/reconciler/limits.ts'
import { systemRuntime } from '../packages/server/src/runtime.ts'
import type { Tx } from '../packages/server/src/store/database.ts'
import { createDatabase, createPool } from '../packages/server/src/store/database.ts'
import { createTargets } from '../packages/server/src/targets/targets.ts'
import type { Bench, BenchOptions, Row } from './harness.ts'
import { against, fasterThan, figureOf, inParallel, interleave, numbers, rowOf, timed } from './harness.ts'
import { startServerProcess } from './server-process.ts'
import type { Store } from './stand.ts'
import { quietSettings, serverEnv, startStore } from './stand.ts'

/** The next so many. */
const wanted = 1_000
/** They come due evenly over this long, from an hour ahead on, so that an idle server stays idle. */
const overMs = 8 * 3_600_000
const aheadMs = 3_600_000
const decisions = 1_000

export const due: Bench = {
  name: 'due',
  about: `the next ${wanted} due of a great many grants, and the weight of waiting for them`,
  async run(options) {
    const grants = options.quick ? 100_000 : 1_000_000
    const rounds = options.rounds ?? (options.quick ? 2 : 4)
    const folder = await mkdtemp(join(tmpdir(), 'tidegate-bench-'))
    await chmod(folder, 0o711)
    const settings = { max_wal_size: '8GB', shared_buffers: '512MB', maintenance_work_mem: '256MB' }
    const store = await startStore(folder, options.report, settings)
    try {
      const empty = await idleRss(store, 5, options)
      options.note(`inserting ${grants} grants`)
      const first = await insertGrants(store.client, grants)
      const rows = await finding(store, { first, grants, rounds }, options)
      const idle = await idleRss(store, 8, options)
      options.note('asking again for all of them, as servers do from time to time')
      const asking = await idleRss(store, options.quick ? 8 : 25, options, '1s')
      return [...rows, ...rssRows(grants, { empty, idle, asking })]
    } finally {
      await store.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

type Idle = { readonly rssMb: number; readonly peakMb: number; readonly survived: boolean }

/** The real server on this store, watched for so many seconds. */
async function idleRss(store: Store, seconds: number, { profileDir }: BenchOptions, reaskEvery = '1h'): Promise<Idle> {
  const env = { ...serverEnv(store), ...quietSettings, TIDEGATE_REASK_EVERY: reaskEvery }
  const server = await startServerProcess(env, profileDir)
  const samples: number[] = []
  for (let i = 0; i < seconds; i++) {
    await delay(1_000)
    samples.push((await server.rssMb()) ?? Number.NaN)
  }
  const survived = (await server.rssMb()) !== undefined
  await server.stop()
  const seen = samples.filter((one) => !Number.isNaN(one))
  return { rssMb: seen.at(-1) ?? Number.NaN, peakMb: Math.max(...seen), survived }
}

function rssRows(grants: number, { empty, idle, asking }: Record<'empty' | 'idle' | 'asking', Idle>): readonly Row[] {
  const base = figureOf('server, idle on an empty store: resident', empty.rssMb, 'MB')
  const word = asking.survived ? 'peak' : 'peak, and it DIED'
  return [
    base,
    against(figureOf(`server, idle on ${grants}: resident`, idle.rssMb, 'MB'), base),
    against(figureOf(`server, asking again for ${grants}: resident, ${word}`, asking.peakMb, 'MB'), base),
  ]
}

/**
 * All of them approved and waiting to be activated, until their time for that is over: then they end. A superuser may
 * leave triggers and foreign keys aside, which hold for these rows all the same. Returns when the first is due.
 */
async function insertGrants(client: pg.Client, grants: number): Promise<Instant> {
  const now = Date.now()
  const first = instant(now + aheadMs)
  const filed = new Date(now).toISOString()
  const dueOf = `to_timestamp(${first / 1_000} + n * ${overMs / 1_000 / grants})`
  const id = (prefix: string): string => `'${prefix}_' || lpad(n::text, 26, '0')`
  const series = `generate_series(0, ${grants - 1}) as n`
  // Many requests rest on one decision here, which saves a minute and changes nothing that is looked at.
  const decision = `'dec_' || lpad((n % ${decisions})::text, 26, '0')`
  const person = `'user:engineer-' || n % 500`
  const place = `'db-' || n % 5000`
  await client.query("set session_replication_role = 'replica'; set synchronous_commit = 'off'")
  const question = JSON.stringify({ role: { name: 'readonly' }, duration: 900_000, signals: [] })
  const answer = JSON.stringify({
    outcome: 'permit',
    policies: ['engineers-read'],
    obligations: [],
    reasons: [],
    maxDuration: 28_800_000,
  })
  await client.query(`insert into decision (id, at, policy_version, outcome, question, answer)
    select ${id('dec')}, '${filed}', 'bench', 'permit', '${question}', '${answer}'
    from generate_series(0, ${decisions - 1}) as n`)
  await client.query(`insert into access_request
    (id, principal, resource, role, duration_ms, reason, status, decision, filed_at, pending_until, settled_at, grant_id, version)
    select ${id('req')}, ${person}, ${place}, 'readonly', 900000, 'Benchmark', 'approved', ${decision},
      '${filed}', '${filed}'::timestamptz + interval '1 day', '${filed}', ${id('grt')}, 1 from ${series}`)
  await client.query(`insert into access_grant
    (id, request, principal, resource, role, state, duration_ms, activate_by, due_at)
    select ${id('grt')}, ${id('req')}, ${person}, ${place}, 'readonly', 'ready', 900000, ${dueOf}, ${dueOf}
    from ${series}`)
  await client.query("set session_replication_role = 'origin'; set synchronous_commit = 'on'")
  await client.query('vacuum analyze access_grant')
  await client.query('vacuum analyze access_request')
  await client.query('checkpoint')
  return first
}

type Loaded = { readonly first: Instant; readonly grants: number; readonly rounds: number }

async function finding(
  store: Store,
  { first, grants, rounds }: Loaded,
  { note }: BenchOptions,
): Promise<readonly Row[]> {
  const everyMs = overMs / grants
  // Nothing is changed by looking, so that all sides and rounds look for the same ones.
  const now = instant(Math.floor(first + wanted * everyMs))
  const picker = createPicker(store.secretUrl)
  try {
    const asked = { saturated: () => [], suspects: new Set<never>() }
    const pick = async (before?: string): Promise<void> =>
      picker.undone(async (tx) => {
        if (before !== undefined) await sql.raw(before).execute(tx)
        const found = await pickDue(tx, now, asked)
        if (found.length === 0) throw new Error('Found none that is due.')
      })
    const find = async (before?: string): Promise<void> =>
      picker.undone(async (tx) => {
        if (before !== undefined) await sql.raw(before).execute(tx)
        const { rows } = await sql`select * from access_grant where due_at <= ${new Date(now)}::timestamptz
        order by due_at limit ${wanted} for update skip locked`.execute(tx)
        if (rows.length !== wanted) throw new Error(`Found ${rows.length} due, not ${wanted}.`)
      })
    const noIndex = 'set local enable_indexscan = off; set local enable_bitmapscan = off'
    const sides = {
      scan: () => find(noIndex),
      batch: () => find(),
      scanForOne: () => pick(noIndex),
      one: () => pick(),
      single: async () => void (await inParallel(numbers(wanted), 1, () => pick())),
    }
    await sides.scan()
    note(`${rounds} rounds, sides in turn`)
    const samples = await interleave(sides, rounds)
    note('working off the first thousand')
    const worked = await inParallel(numbers(Math.min(rounds, 2)), 1, async (n) => {
      const until = instant(Math.floor(first + (n + 1) * wanted * everyMs))
      return (await timed(() => picker.workOff(until))).ms
    })
    const took = (what: string, side: keyof typeof sides): Row => rowOf(what, samples[side] ?? [])
    const scan = took(`find and lock ${wanted} of ${grants}: a plain table scan`, 'scan')
    const scanForOne = took(`the product's pick of ${grants}, by a plain table scan`, 'scanForOne')
    return [
      scan,
      fasterThan(took(`the same by the index of the product`, 'batch'), scan),
      scanForOne,
      fasterThan(took("the product's pick", 'one'), scanForOne),
      took(`  that ${wanted} times, in a transaction each`, 'single'),
      rowOf(`found, locked, ended, logged and committed by ${reconcilerLimits.workers} workers: ${wanted}`, worked),
    ]
  } finally {
    await picker.close()
  }
}

function createPicker(url: string) {
  const log = createLogger('silent')
  const pool = createPool({
    url,
    maxConnections: reconcilerLimits.workers,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 60_000,
    log,
  })
  const db = createDatabase(pool)
  const depsAt = (now: Instant): Activation => ({
    db,
    workDb: db,
    runtime: { ...systemRuntime, now: () => now },
    configurations: createConfigurations(connectorKinds),
    findPrincipals,
    targets: createTargets({ runtime: systemRuntime, secrets: { env: {}, secretsDir: '/nonexistent' } }),
  })
  return {
    /** In a transaction that changes nothing. */
    async undone(work: (tx: Tx) => Promise<void>): Promise<void> {
      const tx = await db.startTransaction().execute()
      try {
        await work(tx)
      } finally {
        await tx.rollback().execute()
      }
    },
    /** As the reconciler's pass does. */
    async workOff(now: Instant): Promise<void> {
      const deps = depsAt(now)
      const suspects = new Set<GrantId>()
      await runCrew({
        most: reconcilerLimits.workers,
        work: async (hire) => (await stepGrants(deps, { saturated: () => [], picked: hire, suspects })) === 'done',
      })
    },
    close: () => db.destroy(),
  }
}
