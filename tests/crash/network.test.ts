/** The network between servers, their store and their targets breaks in each of the ways that networks have. */

import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'
import { fleetForTest } from './for-test.ts'
import { endedAndHanging, holderOf } from './holder.ts'
import type { Link } from './network.ts'
import { play } from './scenario.ts'
import { usualShape } from './workload.ts'

const limitMs = 240_000

/** What can become of a link, with how it is put right. `forget` never is: the connections of before stay dead. */
const troubles: readonly ((link: Link) => Promise<void>)[] = [
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
  async (link) => link.halfClose('client'),
  async (link) => link.halfClose('server'),
  async (link) => link.forget(),
]

const betweenMs = 1_000

test.concurrent(
  'a network to the store that drops, delays, half-closes and forgets loses nothing',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'the network to the store', servers: 2, links: true })
    const random = fleet.random('network')
    const outcome = await play(fleet, {
      name: 'the network to the store',
      shape: { ...usualShape, people: ['alice', 'bob', 'ci'] },
      async chaos() {
        for (const trouble of troubles) {
          const member = random.pick(fleet.members)
          if (member?.toStore) await trouble(member.toStore)
          await delay(betweenMs)
        }
      },
    })
    expect(outcome.violations).toEqual([])
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
      async chaos() {
        for (const trouble of troubles) {
          if (link) await trouble(link)
          await delay(betweenMs)
        }
      },
    })
    expect(outcome.violations).toEqual([])
  },
)

/** What the store gives a transaction that says nothing, and a server to find out that its store is gone. */
const takenOverWithinMs = 60_000

test.concurrent(
  'what a server holds whose machine is gone without a word is free for another within a minute',
  { timeout: limitMs },
  async (context) => {
    const fleet = await fleetForTest(context, { scenario: 'a machine is gone without a word', servers: 2, links: true })
    const grant = await endedAndHanging(fleet)
    const holder = await eventually({ what: 'somebody closes it', withinMs: 10_000 }, () => holderOf(fleet, grant))
    // Its store hears neither that the server died nor anything else.
    holder.toStore?.forget()
    await holder.kill()
    await fleet.target.cluster.resume()
    const since = performance.now()
    await eventually({ what: 'the other closes it', withinMs: takenOverWithinMs }, async () => {
      const [row] = await fleet.inStore('select state from tidegate.access_grant where id = $1', [grant])
      return row?.['state'] === 'ended'
    })
    process.stdout.write(`crash: taken over after ${Math.round(performance.now() - since)} ms\n`)
    const outcome = await play(fleet, { name: 'a machine is gone without a word', chaos: () => fleet.startAll() })
    expect(outcome.violations).toEqual([])
  },
)
