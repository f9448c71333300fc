/** The network between servers, their store and their targets breaks in each of the ways that networks have. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { longestLateness } from './figures.ts'
import { fleetForTest } from './for-test.ts'
import { endedAndHanging, holderOf, isEnded } from './holder.ts'
import type { Link } from './network.ts'
import { play } from './scenario.ts'
import { usualShape } from './workload.ts'

const limitMs = 600_000

/** What the store gives a transaction that says nothing, and a server to find out that its store is gone. */
const takenOverWithinMs = 60_000

/** What can become of a link, with how it is put right. `forget` never is: the connections of before stay dead. */
const troubles: readonly ((link: Link) => Promise<void> | void)[] = [
  async (link) => {
    link.become('cut')
    await delay(2_000)
    link.become('open')
  },
  async (link) => {
    link.become('silent')
    await delay(4_000)
    link.become('open')
  },
  async (link) => {
    link.delay(150)
    await delay(3_000)
    link.delay(0)
  },
  (link) => link.halfClose('client'),
  (link) => link.halfClose('server'),
  (link) => link.forget(),
]

const betweenMs = 1_000

/** What is troubled is in use. */
async function troubleInTurn(linkOf: () => Link | undefined): Promise<void> {
  for (const trouble of troubles) {
    const link = linkOf()
    if (!link) throw new Error('This fleet was started with links.')
    await eventually({ what: 'something passes here', withinMs: 60_000 }, () => link.connections() > 0)
    await trouble(link)
    await delay(betweenMs)
  }
}

test.concurrent(
  'a network to the store that drops, delays, half-closes and forgets loses nothing',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the network to the store', servers: 2, links: true })
    const random = fleet.random('network')
    const outcome = await play(fleet, {
      name: 'the network to the store',
      shape: { ...usualShape, people: ['alice', 'bob', 'ci'] },
      chaos: () => troubleInTurn(() => random.pick(fleet.members)?.toStore),
    })
    expect(outcome.violations).toEqual([])
    // The other one is there all the time.
    expect(longestLateness(outcome.ledger)).toBeLessThan(takenOverWithinMs)
  },
)

test.concurrent(
  'a network to a target that drops, delays, half-closes and forgets leaves nothing open',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the network to a target', servers: 2, links: true })
    const { link } = fleet.target
    const outcome = await play(fleet, {
      name: 'the network to a target',
      shape: { ...usualShape, people: ['alice', 'bob', 'ci'] },
      chaos: () => troubleInTurn(() => link),
    })
    expect(outcome.violations).toEqual([])
  },
)

test.concurrent(
  'what a server holds whose machine is gone without a word is free for another within a minute',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'a machine is gone without a word', servers: 2, links: true })
    const grant = await endedAndHanging(fleet)
    const holder = await eventually({ what: 'somebody closes it', withinMs: 20_000 }, () => holderOf(fleet, grant))
    // Its store hears neither that the server died nor anything else.
    holder.toStore?.forget()
    await holder.kill()
    fleet.target.cluster.resume()
    const since = performance.now()
    await eventually({ what: 'the other closes it', withinMs: takenOverWithinMs }, () => isEnded(fleet, grant))
    process.stdout.write(`crash: taken over after ${Math.round(performance.now() - since)} ms\n`)
    const outcome = await play(fleet, { name: 'a machine is gone without a word', chaos: () => fleet.startAll() })
    expect(outcome.violations).toEqual([])
  },
)
