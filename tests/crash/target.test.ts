/** Targets that die, hang, fill up or say no while grants on them run out: closed when they are back, and never forgotten. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Output } from '@tidegate/api'
import { expect, test } from 'vitest'
import { targetLimits } from '../../packages/server/src/targets/limits.ts'
import { eventually } from './eventually.ts'
import type { CrashTarget, Fleet } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import { play } from './scenario.ts'
import { latenesses } from './verdict.ts'
import { usualShape } from './workload.ts'

const limitMs = 240_000

/** An outage, and what undoes it. */
type Outage = {
  readonly name: string
  readonly begin: (target: CrashTarget) => Promise<() => Promise<void>>
  /** How long it lasts: some are over only when every timeout has passed. */
  readonly forMs: number
}

const longerThanAnyVerbMs = targetLimits.connector.operationTimeoutMs + 3_000

const outages: readonly Outage[] = [
  {
    name: 'killed',
    forMs: 3_000,
    async begin({ cluster }) {
      await cluster.kill()
      return () => cluster.start()
    },
  },
  {
    name: 'paused',
    forMs: longerThanAnyVerbMs,
    async begin({ cluster }) {
      await cluster.pause()
      return () => cluster.resume()
    },
  },
  {
    name: 'restarted',
    forMs: 0,
    async begin({ cluster }) {
      await cluster.restart()
      return async () => undefined
    },
  },
  { name: 'out of connections', forMs: 5_000, begin: ({ cluster }) => cluster.exhaust() },
  {
    name: 'read-only',
    forMs: 5_000,
    async begin({ cluster }) {
      await cluster.set('default_transaction_read_only', 'on')
      return () => cluster.set('default_transaction_read_only', undefined)
    },
  },
]

const findingsOf = (fleet: Fleet, grant: string): Promise<Readonly<Record<string, unknown>>[]> =>
  fleet.inStore(`select kind, closed_at from tidegate.finding where subject = $1`, [`grant:${grant}`])

test.concurrent(
  'whatever happens to a target, what runs out meanwhile is closed when it is back, with a finding until then',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, {
      scenario: 'targets that die, hang, fill up and say no',
      servers: 2,
      targetConnections: 40,
    })
    const { target } = fleet
    const outcome = await play(fleet, {
      name: 'targets that die, hang, fill up and say no',
      shape: { ...usualShape, people: ['bob', 'carol'] },
      async chaos() {
        for (const outage of outages) await endDuring(fleet, target, outage)
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

/** A grant that ends while its target is away. */
async function endDuring(fleet: Fleet, target: CrashTarget, { name, begin, forMs }: Outage): Promise<void> {
  // Right after an outage the first to come may still meet it.
  const soon = { what: 'a grant is opened', withinMs: 30_000 }
  const { id: runsOut } = await eventually(soon, () => openFor(fleet, target, '8s'))
  const { id: grant } = await eventually(soon, () => openFor(fleet, target, '1h'))
  const over = await begin(target)
  await fleet.clientOf('alice').endGrant({ id: grant })
  if (forMs > 0) {
    await eventually(
      { what: `${name}: the end of the grant fails, and a finding says so`, withinMs: 40_000 },
      async () =>
        (await findingsOf(fleet, grant)).some(
          ({ kind, closed_at: closed }) => kind === 'close-failing' && closed === null,
        ),
    )
    await delay(forMs)
  }
  await over()
  for (const id of [grant, runsOut]) {
    // The slowest retry is a minute away, and a target that has been away for seconds is tried again in seconds.
    await eventually({ what: `${name}: ${id} is closed when the target is back`, withinMs: 60_000 }, async () => {
      const { state } = await fleet.clientOf('alice').getGrant({ id })
      return state === 'ended'
    })
    const left = await findingsOf(fleet, id)
    expect(left.filter(({ closed_at: closed }) => closed === null)).toEqual([])
  }
}

test('a target that hangs keeps nobody waiting on another one', { timeout: limitMs }, async (context) => {
  const fleet = await fleetForTest(context, {
    scenario: 'one of two targets hangs',
    servers: 1,
    resources: ['orders-db', 'stock-db'],
  })
  const [hanging, well] = fleet.targets as [CrashTarget, CrashTarget]
  for (let i = 0; i < 8; i++) await openFor(fleet, hanging, '4s')
  await hanging.cluster.pause()
  const outcome = await play(
    { ...fleet, targets: [well], target: well },
    {
      name: 'one of two targets hangs',
      shape: { ...usualShape, people: ['bob', 'carol'], onlyExpire: true },
      async chaos() {
        await delay(longerThanAnyVerbMs + 5_000)
        await hanging.cluster.resume()
      },
    },
  )
  expect(outcome.violations).toEqual([])
  expect(latenesses(outcome.ledger).at(-1)).toBeLessThan(5_000)
})
