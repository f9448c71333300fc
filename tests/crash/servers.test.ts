/** Servers that are killed: what they had promised is kept by whoever is there. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { reconcilerLimits } from '../../packages/server/src/reconciler/limits.ts'
import { eventually } from './eventually.ts'
import type { Fleet, Member } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import { endedAndHanging, holderOf } from './holder.ts'
import { killAtRandom } from './kills.ts'
import { play } from './scenario.ts'
import { judge, latenesses } from './verdict.ts'
import { usualShape } from './workload.ts'

const limitMs = 180_000

test(
  'a server killed a dozen times under load loses nothing it said, and leaves nothing open',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'one server killed at random', servers: 1 })
    const { violations, ledger } = await killAtRandom(fleet, { kills: 12 })
    expect(violations).toEqual([])
    expect(ledger.lives.filter(({ end }) => end).length).toBeGreaterThan(10)
  },
)

test(
  'a server killed while it closes a grant is followed by another, which closes it once',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the one that holds the row is killed', servers: 2 })
    const outcome = await play(fleet, {
      name: 'the one that holds the row is killed',
      shape: { ...usualShape, people: ['bob'] },
      async chaos() {
        for (let round = 0; round < 3; round++) await killTheHolder(fleet)
      },
    })
    expect(outcome.violations).toEqual([])

    // The verdict is no formality: it finds what is put there for it to find.
    await fleet.onTarget(fleet.target, `create role ${fleet.target.prefix}grt_nobodys login`)
    await fleet.inStore(`update tidegate.access_request set reason = 'Another'`)
    const found = (await judge(fleet, outcome.ledger)).violations
    expect(found.some((violation) => violation.includes('grt_nobodys is still on orders-db'))).toBe(true)
    expect(found.some((violation) => violation.endsWith('the request is lost'))).toBe(true)
  },
)

async function killTheHolder(fleet: Fleet): Promise<void> {
  const grant = await endedAndHanging(fleet)
  const holder = await eventually({ what: 'somebody closes it', withinMs: 10_000 }, () => holderOf(fleet, grant))
  await holder.kill()
  const next = await eventually({ what: 'another takes over', withinMs: 10_000 }, () => holderOf(fleet, grant))
  expect(next.name).not.toBe(holder.name)
  await fleet.target.cluster.resume()
  await eventually({ what: 'it is closed', withinMs: 60_000 }, async () => {
    const [row] = await fleet.inStore('select state from tidegate.access_grant where id = $1', [grant])
    return row?.['state'] === 'ended'
  })
  await holder.start()
}

test(
  'while one of three servers lives, no session outlives its grant for long',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'three servers, killed and paused in turn', servers: 3 })
    const random = fleet.random('three')
    const outcome = await play(fleet, {
      name: 'three servers, killed and paused in turn',
      async chaos() {
        for (let round = 0; round < 4; round++) {
          const [survivor] = fleet.members.toSorted(() => random.next() - 0.5)
          const others = fleet.members.filter((one) => one !== survivor)
          const [victim, sleeper] = others as [Member, Member]
          sleeper.signal('SIGSTOP')
          await delay(random.below(1_500))
          await victim.kill()
          sleeper.signal('SIGCONT')
          await delay(random.below(500))
          if (random.chance(0.5)) await sleeper.kill()
          await delay(random.below(1_000))
          await fleet.startAll()
        }
      },
    })
    expect(outcome.violations).toEqual([])
    expect(latenesses(outcome.ledger).at(-1)).toBeLessThan(reconcilerLimits.longestWaitMs)
  },
)
