/** Targets that die, hang, fill up or say no while grants on them run out: closed when they are back, and never forgotten. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Output } from '@tidegate/api'
import { expect, test } from 'vitest'
import { lifecycleLimits } from '../../packages/server/src/lifecycle/limits.ts'
import type { Cluster } from './cluster.ts'
import { eventually } from './eventually.ts'
import type { CrashTarget, Fleet } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import { longestLateness } from './figures.ts'
import { play } from './scenario.ts'
import type { SmallDisk } from './small-disk.ts'
import { mountSmallDisk } from './small-disk.ts'
import { usualShape } from './workload.ts'

const limitMs = 600_000

/** An outage, and what undoes it. */
type Outage = {
  readonly name: string
  readonly begin: (target: CrashTarget) => Promise<() => Promise<void> | void>
  /** How long it lasts at least. */
  readonly forMs: number
  /** Nothing can be closed during it. Otherwise it may be over before anyone has tried. */
  readonly keeps: boolean
}

/** The last is that of an activation, longer than any verb. */
const longerThanEveryTimeoutMs = lifecycleLimits.provisioningTimeout + 2_000

const outages: readonly Outage[] = [
  {
    name: 'killed',
    forMs: 0,
    keeps: true,
    async begin({ cluster }) {
      await cluster.kill()
      return () => cluster.start()
    },
  },
  {
    name: 'paused',
    forMs: longerThanEveryTimeoutMs,
    keeps: true,
    async begin({ cluster }) {
      await cluster.pause()
      return () => cluster.resume()
    },
  },
  {
    name: 'restarted',
    forMs: 0,
    keeps: false,
    async begin({ cluster }) {
      await cluster.restart()
      return () => undefined
    },
  },
  { name: 'out of connections', forMs: 0, keeps: true, begin: ({ cluster }) => cluster.exhaust() },
  {
    name: 'read-only',
    forMs: 0,
    keeps: true,
    async begin({ cluster }) {
      await cluster.set('default_transaction_read_only', 'on')
      return () => cluster.set('default_transaction_read_only', undefined)
    },
  },
]

const outagesOf = (disk: SmallDisk): readonly Outage[] => [
  { name: 'a full disk, tables that cannot grow', forMs: 2_000, keeps: false, begin: () => disk.fill() },
  {
    name: 'a full disk, nothing can be written',
    forMs: 0,
    keeps: true,
    async begin({ cluster }) {
      const giveBack = await endsWhenFull(cluster, disk)
      return async () => {
        await giveBack()
        await cluster.start()
      }
    },
  },
]

/** Without room for its log of writes PostgreSQL ends. Resolves with how to give the room back. */
async function endsWhenFull(cluster: Cluster, disk: SmallDisk): Promise<() => Promise<void>> {
  // From before: a new session may not find room to begin.
  const writer = await cluster.connect('postgres')
  let gone = false
  void cluster.exited().then(() => (gone = true))
  const giveBack = await disk.fill()
  await eventually({ what: 'a PostgreSQL that cannot write ends', withinMs: 60_000 }, async () => {
    await writer
      .query(`SELECT pg_switch_wal(), pg_logical_emit_message(false, 'tidegate', 'written')`)
      .catch(() => undefined)
    return gone
  })
  return giveBack
}

/** With room for a PostgreSQL and the little that it has to do here. */
const diskMiB = 220

const findingsOf = (fleet: Fleet, grant: string): Promise<Readonly<Record<string, unknown>>[]> =>
  fleet.inStore(`select kind, closed_at from tidegate.finding where subject = $1`, [`grant:${grant}`])

test.concurrent(
  'whatever happens to a target, what runs out meanwhile is closed when it is back, with a finding until then',
  { timeout: limitMs },
  async (context) => {
    const disk = await mountSmallDisk(diskMiB)
    if (disk) context.onTestFinished(() => disk.unmount())
    const fleet = await fleetForTest(context, {
      scenario: 'targets that die, hang, fill up and say no',
      servers: 2,
      targetConnections: 40,
      targetDisk: disk?.path,
    })
    const { target } = fleet
    const outcome = await play(fleet, {
      name: 'targets that die, hang, fill up and say no',
      shape: { ...usualShape, people: ['bob', 'carol'] },
      async chaos() {
        for (const outage of [...outages, ...(disk ? outagesOf(disk) : [])]) await endDuring(fleet, target, outage)
      },
    })
    expect(outcome.violations).toEqual([])
  },
)

async function openFor(fleet: Fleet, { resource }: CrashTarget, duration: string): Promise<Output<'getGrant'>> {
  const alice = fleet.clientOf('alice')
  const { grant } = await alice.createRequest({
    role: `${resource}/readonly`,
    duration,
    reason: 'It runs out meanwhile',
  })
  if (grant === undefined) throw new Error('Policy gives this at once.')
  return (await alice.activateGrant({ id: grant })).grant
}

/** Long enough to be open when the outage begins. */
const runsOutAfter = '8s'

/** One grant whose holder is done, and one that runs out, while their target is away. */
async function endDuring(fleet: Fleet, target: CrashTarget, { name, begin, forMs, keeps }: Outage): Promise<void> {
  // Right after an outage the first to come may still meet it.
  const soon = { what: `${name}: a grant is opened`, withinMs: 30_000 }
  const done = await eventually(soon, () => openFor(fleet, target, '1h'))
  const runsOut = await eventually(soon, () => openFor(fleet, target, runsOutAfter))
  const since = performance.now()
  const over = await begin(target)
  await fleet.clientOf('alice').endGrant({ id: done.id })
  if (keeps) for (const { id } of [done, runsOut]) await cannotBeClosed(fleet, { name, id })
  await delay(Math.max(0, forMs - (performance.now() - since)))
  await over()
  for (const { id } of [done, runsOut]) await isClosed(fleet, { name, id })
}

type Ending = { readonly name: string; readonly id: string }

const cannotBeClosed = async (fleet: Fleet, { name, id }: Ending): Promise<unknown> =>
  eventually({ what: `${name}: a finding says that ${id} cannot be closed`, withinMs: 40_000 }, async () =>
    (await findingsOf(fleet, id)).some(({ kind, closed_at: closed }) => kind === 'close-failing' && closed === null),
  )

/** The slowest retry is a minute away, and a target that has been away for seconds is tried again in seconds. */
const retriedWithinMs = 60_000

async function isClosed(fleet: Fleet, { name, id }: Ending): Promise<void> {
  await eventually(
    { what: `${name}: ${id} is closed when the target is back`, withinMs: retriedWithinMs },
    async () => {
      const { state } = await fleet.clientOf('alice').getGrant({ id })
      return state === 'ended'
    },
  )
  const left = await findingsOf(fleet, id)
  expect(left.filter(({ closed_at: closed }) => closed === null)).toEqual([])
}

/** Working, and nothing else to do. */
const promptMs = 5_000

test.concurrent('a target that hangs keeps nobody waiting on another one', { timeout: limitMs }, async (context) => {
  const fleet = await fleetForTest(context, {
    scenario: 'one of two targets hangs',
    servers: 1,
    resources: ['orders-db', 'stock-db'],
  })
  const [hanging, well] = fleet.targets as [CrashTarget, CrashTarget]
  const stuck = await Promise.all(Array.from({ length: 8 }, () => openFor(fleet, hanging, '15s')))
  await hanging.cluster.pause()
  const outcome = await play(fleet, {
    name: 'one of two targets hangs',
    shape: { ...usualShape, people: ['bob', 'carol'], onlyExpire: true, targets: [well] },
    async chaos() {
      for (const { id } of stuck) await cannotBeClosed(fleet, { name: 'hanging', id })
      await delay(promptMs)
      hanging.cluster.resume()
    },
  })
  expect(outcome.violations).toEqual([])
  expect(longestLateness(outcome.ledger)).toBeLessThan(promptMs)
})
