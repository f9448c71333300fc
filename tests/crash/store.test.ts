/** The store's PostgreSQL dies, hangs, fills up or says no under running servers, which are never restarted themselves. */

import { setTimeout as delay } from 'node:timers/promises'
import { ApiError } from '@tidegate/api'
import { expect, test } from 'vitest'
import { reconcilerLimits } from '../../packages/server/src/reconciler/limits.ts'
import type { Cluster } from './cluster.ts'
import { eventually } from './eventually.ts'
import { longestLateness } from './figures.ts'
import type { StoreFleet } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import { play } from './scenario.ts'
import { usualShape } from './workload.ts'

/** The last that anyone gives up is the store itself, a transaction that says nothing: 45 s. See `store/database.ts`. */
const longerThanEveryTimeoutMs = 47_000

/** For everyone to have noticed. */
const noticedMs = 2_000

/** A moment for everyone to have work again. */
const betweenMs = 1_000

type Outage = {
  readonly name: string
  /** Resolves with how to undo it. */
  readonly begin: (store: Cluster) => Promise<() => Promise<void> | void>
  readonly forMs: number
}

const outages: readonly Outage[] = [
  {
    name: 'killed',
    forMs: noticedMs,
    async begin(store) {
      await store.kill()
      return () => store.start()
    },
  },
  {
    name: 'restarted',
    forMs: 0,
    async begin(store) {
      await store.restart()
      return () => undefined
    },
  },
  { name: 'out of connections', forMs: noticedMs, begin: (store) => store.exhaust() },
  {
    name: 'read-only',
    forMs: noticedMs,
    async begin(store) {
      await store.set('default_transaction_read_only', 'on')
      return () => store.set('default_transaction_read_only', undefined)
    },
  },
  {
    name: 'paused',
    forMs: longerThanEveryTimeoutMs,
    async begin(store) {
      await store.pause()
      return () => store.resume()
    },
  },
]

test.concurrent(
  'a store that dies, restarts, fills up, refuses to write or hangs makes callers try again, and loses nothing',
  { timeout: 600_000 },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the store is away', servers: 2 })
    const processes = fleet.members.map((member) => member.pid())
    const outcome = await play(fleet, {
      name: 'the store is away',
      shape: { ...usualShape, people: ['alice', 'bob', 'ci'] },
      async chaos() {
        for (const outage of outages) await live(fleet, outage)
      },
    })
    expect(outcome.violations).toEqual([])
    expect(outcome.ledger.tally.get('no-answer')).toBeUndefined()
    expect(fleet.members.map((member) => member.pid())).toEqual(processes)
    // What ends while nothing can be recorded is closed when it can.
    expect(longestLateness(outcome.ledger)).toBeLessThan(longerThanEveryTimeoutMs + reconcilerLimits.longestWaitMs)
  },
)

async function live(fleet: StoreFleet, { name, begin, forMs }: Outage): Promise<void> {
  await delay(betweenMs)
  const since = performance.now()
  const over = await begin(fleet.store)
  if (forMs > 0) expect(await answersToChange(fleet), name).toEqual(new Set(['unavailable']))
  await delay(Math.max(0, forMs - (performance.now() - since)))
  await over()
  const ready = { what: `${name}: both are ready again`, withinMs: readyAgainWithinMs }
  await eventually(ready, () => isReady(fleet))
}

/** Statements are given up after 36 s, at the servers' end. See `store/database.ts`. */
const toldWithinMs = 45_000
const readyAgainWithinMs = 30_000

/** What the servers say to whoever wants something written. */
async function answersToChange(fleet: StoreFleet): Promise<ReadonlySet<unknown>> {
  const wish = { role: 'orders-db/readonly', duration: '1h', reason: 'While the store is away' }
  const answers = fleet.members.map(async (member) => {
    const signal = AbortSignal.timeout(toldWithinMs)
    try {
      return (await fleet.clientOf('alice', member).createRequest(wish, { signal })).status
    } catch (error) {
      return error instanceof ApiError ? error.code : String(error)
    }
  })
  return new Set(await Promise.all(answers))
}

async function isReady(fleet: StoreFleet): Promise<boolean> {
  const answers = await Promise.all(
    fleet.members.map(({ url }) => fetch(`${url}/readyz`, { signal: AbortSignal.timeout(readyAgainWithinMs) })),
  )
  return answers.every(({ ok }) => ok)
}
