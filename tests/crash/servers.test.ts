/** Servers that are killed: what they had promised is kept by whoever is there. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { lifecycleLimits } from '../../packages/server/src/lifecycle/limits.ts'
import { reconcilerLimits } from '../../packages/server/src/reconciler/limits.ts'
import { eventually } from './eventually.ts'
import { longestLateness } from './figures.ts'
import type { Fleet, Member } from './fleet.ts'
import { fleetForTest } from './for-test.ts'
import { endedAndHanging, holderOf, isEnded, openingAndHanging } from './holder.ts'
import { killAtRandom } from './kills.ts'
import { play } from './scenario.ts'

/** Room for a machine that is busy with something else. */
const limitMs = 600_000

/** Whoever waits for the next look of the others would wait twice as long. */
const noticedWithinMs = reconcilerLimits.longestWaitMs / 2

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

test.concurrent(
  'servers killed while they close a grant are followed by the others, which close it once',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'those that hold the row are killed', servers: 3 })
    // Nobody else is at work, whose doings would make the others look. One of three; two of three, one after the other;
    // and one of the two that are then there.
    for (const kills of [1, 2]) await killHolders(fleet, kills)
    await fleet.members[0]?.kill()
    await killHolders(fleet, 1)
    const outcome = await play(fleet, { name: 'those that hold the row are killed', chaos: () => fleet.startAll() })
    expect(outcome.violations).toEqual([])
  },
)

async function killHolders(fleet: Fleet, kills: number): Promise<void> {
  const grant = await endedAndHanging(fleet)
  const killed: Member[] = []
  for (let kill = 0; kill < kills; kill++) {
    const holder = await takeover(fleet, grant, killed)
    await holder.kill()
    killed.push(holder)
  }
  await takeover(fleet, grant, killed)
  fleet.target.cluster.resume()
  await eventually({ what: 'it is closed', withinMs: noticedWithinMs }, () => isEnded(fleet, grant))
  for (const member of killed) await member.start()
}

/** Somebody who lives is at work on it. Those who are dead may be taken to be, until the store hears of it. */
async function takeover(fleet: Fleet, grant: string, killed: readonly Member[]): Promise<Member> {
  return eventually({ what: `server ${killed.length + 1} closes it`, withinMs: noticedWithinMs }, async () => {
    const holder = await holderOf(fleet, grant)
    return holder && !killed.includes(holder) ? holder : undefined
  })
}

/** An activation without a result counts as interrupted, and then what it may have left is closed. */
const givenUpWithinMs = lifecycleLimits.provisioningTimeout + noticedWithinMs

test.concurrent(
  'a server killed while it opens a grant leaves nothing open, and another gives the grant up',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the one that opens is killed', servers: 2 })
    const { grant, activation } = await openingAndHanging(fleet)
    const opener = await eventually({ what: 'somebody opens it', withinMs: 20_000 }, () => holderOf(fleet, grant))
    await opener.kill()
    fleet.target.cluster.resume()
    await expect(activation).rejects.toMatchObject({ code: 'unavailable' })
    await eventually({ what: 'the other gives it up', withinMs: givenUpWithinMs }, () => isEnded(fleet, grant))
    const [row] = await fleet.inStore('select end_reason as reason from tidegate.access_grant where id = $1', [grant])
    expect(row).toEqual({ reason: 'open-failed' })
    const outcome = await play(fleet, { name: 'the one that opens is killed', chaos: () => fleet.startAll() })
    expect(outcome.violations).toEqual([])
  },
)

test(
  'while one of three servers lives, a session outlives its grant by no more than it takes to close',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'three servers, killed and paused in turn', servers: 3 })
    const random = fleet.random('three')
    const outcome = await play(fleet, {
      name: 'three servers, killed and paused in turn',
      async chaos() {
        for (let round = 0; round < 4; round++) {
          const survivor = random.pick(fleet.members)
          const [victim, sleeper] = fleet.members.filter((one) => one !== survivor) as [Member, Member]
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
    expect(longestLateness(outcome.ledger)).toBeLessThan(noticedWithinMs)
  },
)
